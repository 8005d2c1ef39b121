"""Batches: requests of any limit carry each span once; what a server refuses is narrowed down and counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentos_otel.export import retrying
from agentos_otel.export.delivery import Batch
from agentos_otel.export.fold import Piece
from agentos_otel.export.marker import RESERVED_S, Reservations
from agentos_otel.export.sender import Outcome, accepted
from agentos_otel.journal import encoding
from agentos_otel.tracing import task_file


class Server:
    """Takes requests and answers them by the spans that they hold."""

    def __init__(self, answer: Callable[[set[int]], Outcome] = lambda spans: Outcome("sent")) -> None:
        self.requests: list[list[int]] = []
        self.sizes: list[int] = []
        self.taken: list[int] = []
        self._answer = answer

    def send(self, body: bytes) -> Outcome:
        message = ExportTraceServiceRequest.FromString(body)
        numbers = [
            int.from_bytes(span.span_id, "big")
            for found in message.resource_spans
            for scope in found.scope_spans
            for span in scope.spans
        ]
        self.requests.append(numbers)
        self.sizes.append(len(body))
        outcome = self._answer(set(numbers))
        if outcome.kind == "sent":
            self.taken += numbers
        return outcome

    def close(self) -> None:
        pass


SCOPE = encoding.scope_fields("scope", "", "")


def piece(number: int, size: int, service: int) -> Piece:
    trace_id = number.to_bytes(16, "big")
    head = encoding.head(trace_id, number.to_bytes(8, "big"), b"", encoding.name("n", 1), 1, 2)
    resource = encoding.field(1, encoding.resource({"service.name": f"service {service}"}))
    return Piece(resource, SCOPE, b"", encoding.field(2, head + encoding.attributes({"a": "x" * size})))


def batch_of(spans: list[tuple[int, int]]) -> Batch:
    batch = Batch()
    for number, (size, service) in enumerate(spans, 1):
        batch.add([piece(number, size, service)], ("file", number * 100, 100))
    return batch


SPANS = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 2)), max_size=40)


@settings(deadline=None)
@given(SPANS, st.integers(1, 4000))
def test_every_span_goes_once_in_requests_of_the_limit_or_alone(spans: list[tuple[int, int]], limit: int) -> None:
    server = Server()
    batch = batch_of(spans)
    assert batch.deliver(server, limit) is None
    assert sorted(server.taken) == list(range(1, len(spans) + 1))
    assert all(size <= limit or len(sent) == 1 for sent, size in zip(server.requests, server.sizes, strict=True))
    assert batch.step.counts.get("sent", 0) == len(spans)


@settings(deadline=None)
@given(SPANS, st.sets(st.integers(1, 40), max_size=4))
def test_the_spans_that_a_server_refuses_are_found_and_the_others_arrive(
    spans: list[tuple[int, int]], poison: set[int]
) -> None:
    server = Server(lambda sent: Outcome("refused", "HTTP 400") if sent & poison else Outcome("sent"))
    batch = batch_of(spans)
    assert batch.deliver(server) is None
    refused = poison & set(range(1, len(spans) + 1))
    assert sorted([*server.taken, *refused]) == list(range(1, len(spans) + 1))
    assert sorted(parked.places[0] for parked in batch.step.park) == sorted((n * 100, 100) for n in refused)
    assert {parked.reason for parked in batch.step.park} <= {"HTTP 400"}
    assert batch.step.counts.get("set_aside", 0) == len(refused)


def test_a_server_that_refuses_everything_is_not_asked_for_each_span() -> None:
    server = Server(lambda sent: Outcome("refused", "HTTP 400"))
    batch = batch_of([(1, 0)] * 1000)
    assert batch.deliver(server) is None
    assert len(server.requests) < 200
    assert sum(parked.spans for parked in batch.step.park) == 1000


def test_a_batch_that_is_to_be_tried_again_notes_nothing_of_what_failed() -> None:
    answers = iter([Outcome("sent"), Outcome("retry", "busy")])
    batch = batch_of([(100, 0)] * 10)
    failed = batch.deliver(Server(lambda sent: next(answers)), 1000)
    assert failed == Outcome("retry", "busy")
    assert batch.step.offsets == {}


@settings(deadline=None)
@given(st.integers(0, 100), st.floats(0, 1))
def test_the_wait_doubles_to_a_minute_within_a_fifth(failures: int, spread: float) -> None:
    found = retrying.delay(failures, uniform=spread)
    assert 0.79 * min(2.0**failures, 64) <= found <= 1.21 * min(2.0**failures, 64)


def test_a_server_can_ask_for_a_wait_but_not_for_a_year() -> None:
    assert retrying.delay(3, 7.5) == 7.5
    assert retrying.delay(3, 0) == 0
    assert retrying.delay(3, 31_536_000) == retrying.LONGEST_ASKED_S


def test_a_reservation_is_shown_where_nobody_has_taken_it_over_for_a_while(tmp_path: Path) -> None:
    birth = {"op": "attempt", "task_id": "t", "trace_id": "01" * 16, "root_span_id": "02" * 8}
    reservations = Reservations()
    for name in ("kept", "taken", "over"):
        file = tmp_path / name
        task_file.write(file, {"reserved": "1"})
        said = {"op": "reserved", "file": str(file), "operations": [{"op": "task"}, {**birth, "task_id": name}]}
        reservations.heard(said, b"resource")
    reservations.heard({"op": "reserved", "operations": "nonsense"}, b"")
    assert task_file.claim(str(tmp_path / "taken"))
    (tmp_path / "over").unlink()
    assert list(reservations.due()) == []
    later = time.monotonic() + RESERVED_S
    assert list(reservations.due(now=later)) == [({**birth, "task_id": "kept"}, b"resource")]
    assert list(reservations.due(now=later)) == []


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_body_under_a_good_status_is_an_answer(body: bytes) -> None:
    assert accepted(body).kind == "sent"
    assert accepted(body).rejected >= 0
