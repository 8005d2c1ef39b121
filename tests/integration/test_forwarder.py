"""The forwarder against real servers: what arrives, what is counted, where it goes on."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from agentos_otel import forwarding
from agentos_otel.errors import ConfigurationError, StorageError
from agentos_otel.export.destination import Destination
from agentos_otel.export.forwarder import LOCK, Forwarder
from agentos_otel.export.keeping import fraction
from agentos_otel.export.positions import Positions, read
from agentos_otel.journal import reader
from agentos_otel.journal.record import ENDED_SPAN, LOCAL_SPAN, STARTED_SPAN, STATEMENT, frame
from tests.integration.journals import Run
from tests.integration.otlp_servers import Answer, GrpcSink, HttpSink, Sink

Make = Callable[..., Forwarder]


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    made = HttpSink()
    yield made
    made.close()


@pytest.fixture
def grpc_sink() -> Iterator[GrpcSink]:
    made = GrpcSink()
    yield made
    made.close()


@pytest.fixture
def forwarder_to(tmp_path: Path) -> Iterator[Callable[..., Forwarder]]:
    made: list[Forwarder] = []

    def make(sink: Sink, **options: Any) -> Forwarder:
        destination = (
            Destination("grpc", f"localhost:{sink.port}", insecure=True, timeout=5)
            if isinstance(sink, GrpcSink)
            else Destination("http/protobuf", f"{sink.url}/v1/traces", timeout=5)  # type: ignore[attr-defined]
        )
        made.append(Forwarder(tmp_path, forwarding.open_sender(destination), **options))
        return made[-1]

    yield make
    for forwarder in made:
        forwarder.close()


def positions(state_dir: Path) -> Positions:
    found = read(state_dir)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["sink", "grpc_sink"])
def test_what_was_journaled_arrives_once_under_the_whole_resource_of_its_run(
    tmp_path: Path, forwarder_to: Make, kind: str, request: pytest.FixtureRequest
) -> None:
    sink: Sink = request.getfixturevalue(kind)
    runs = [Run(tmp_path), Run(tmp_path, host="elsewhere")]
    sent = [span_id for run in runs for span_id in run.spans(50)]
    forwarder = forwarder_to(sink)
    assert forwarder.pump().sent == 100
    assert forwarder.pump().sent == 0
    sent += runs[0].spans(3)
    assert forwarder_to(sink).pump().sent == 3  # another process, later
    assert sorted(sink.span_ids) == sorted(sent)
    for arrived in sink.arrived:
        for message in arrived.resource_spans:
            values = {pair.key: pair.value.string_value for pair in message.resource.attributes}
            assert values["service.name"] == "pipeline"
            assert values["telemetry.sdk.name"] == "whole"
            assert len(message.scope_spans) == 1
    assert len(sink.arrived[0].resource_spans) == 2


def test_only_ended_spans_that_nobody_else_sends_are_sent(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    run = Run(tmp_path)
    run.span(field=LOCAL_SPAN)
    run.span(field=STARTED_SPAN)
    run.say(op="state", task_id="t")
    wanted = run.span()
    assert forwarder_to(sink).pump().sent == 1
    assert sink.span_ids == [wanted]


def test_without_anything_to_send_nothing_is_said_to_the_server(
    tmp_path: Path, sink: HttpSink, forwarder_to: Make
) -> None:
    forwarder = forwarder_to(sink)
    assert forwarder.pump().sent == 0
    Run(tmp_path).say(op="state", task_id="t")
    assert forwarder.pump().sent == 0
    assert sink.arrived == []


def test_a_failed_request_is_sent_again_whole_and_not_before_its_time(
    tmp_path: Path, sink: HttpSink, forwarder_to: Make
) -> None:
    sent = Run(tmp_path).spans(10)
    sink.answers = [Answer(503, {"retry-after": "30"}, b"busy"), Answer(429), Answer(502), Answer(504)]
    first, second = forwarder_to(sink), forwarder_to(sink)
    failed = first.pump()
    assert failed.failed == "HTTP 503 Service Unavailable: busy"
    assert failed.wait == 30
    waiting = second.pump()  # the schedule is one for all processes
    assert waiting.failed == failed.failed
    assert 29 < waiting.wait <= 30
    assert len(sink.arrived) == 1
    waits = [first.pump(patient=False).wait for _ in range(3)]
    assert [0.8 * 2**n <= wait <= 1.2 * 2**n for n, wait in enumerate(waits, 1)] == [True] * 3
    assert first.pump(patient=False).sent == 10
    assert sink.span_ids == sent * 5
    state = first.counts()
    assert (state["sent"], state["retried"], state["failures"]) == (10, 4, 0)


def test_a_run_that_ended_while_the_server_was_down_is_sent_once_it_is_up(
    tmp_path: Path, sink: HttpSink, forwarder_to: Make
) -> None:
    run = Run(tmp_path)
    run.spans(3)
    run.end()
    sink.answers = [Answer(503)]
    forwarder = forwarder_to(sink)
    assert forwarder.pump().failed
    assert forwarder.pump(patient=False).sent == 3


def test_a_server_that_is_not_there_or_closes_the_connection_is_tried_again(
    tmp_path: Path, sink: HttpSink, forwarder_to: Make
) -> None:
    run = Run(tmp_path)
    run.span()
    sink.answers = [Answer(0)]
    forwarder = forwarder_to(sink)
    assert "RemoteDisconnected" in forwarder.pump().failed
    assert forwarder.pump(patient=False).sent == 1
    sink.close()
    run.span()
    assert "refused" in forwarder_to(sink).pump(patient=False).failed


def test_a_kept_connection_that_the_server_closed_is_no_failure(
    tmp_path: Path, sink: HttpSink, forwarder_to: Make
) -> None:
    run = Run(tmp_path)
    run.span()
    forwarder = forwarder_to(sink)
    assert forwarder.pump().sent == 1
    sink.answers = [Answer(0)]
    run.span()
    assert forwarder.pump().sent == 1


def test_spans_that_the_server_rejected_are_counted(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=3, error_message="three are too old")
    sink.answers = [Answer(body=ExportTraceServiceResponse(partial_success=partial).SerializeToString())]
    Run(tmp_path).spans(10)
    forwarder = forwarder_to(sink)
    assert forwarder.pump().sent == 7
    state = forwarder.counts()
    assert (state["sent"], state["rejected"], state["last_answer"]) == (7, 3, "three are too old")
    assert forwarder.pump().sent == 0


def poisoned(body: bytes) -> Answer:
    message = ExportTraceServiceRequest.FromString(body)
    names = [span.name for found in message.resource_spans for scope in found.scope_spans for span in scope.spans]
    return Answer(400, body=b"no poison here") if "poison" in names else Answer()


def test_one_span_that_the_server_refuses_does_not_take_a_thousand_with_it(
    tmp_path: Path, sink: HttpSink, forwarder_to: Make
) -> None:
    run = Run(tmp_path)
    trace_id = b"\x07" * 16
    run.spans(300)
    run.span("poison", trace_id=trace_id)
    run.spans(300)
    sink.answer = poisoned
    forwarder = forwarder_to(sink)
    assert forwarder.pump().sent == 600
    known = positions(tmp_path)
    assert known.refusals() == [("HTTP 400 Bad Request: no poison here", 1)]
    assert known.failed_to_send([trace_id.hex()]) == 1
    assert known.failed_to_send(["00" * 16]) == 0
    assert forwarder.pump().sent == 0
    sink.answer = lambda body: Answer()
    assert forwarder.retry_refused().sent == 1
    assert sink.arrived[-1].spans[0].name == "poison"
    assert known.refusals() == []
    assert forwarder.counts()["set_aside"] == 0


def test_what_credentials_refuse_is_set_aside_by_one_request_and_can_be_sent_later(
    tmp_path: Path, sink: HttpSink, forwarder_to: Make
) -> None:
    Run(tmp_path).spans(50)
    sink.answers = [Answer(401), Answer(302, {"location": "https://example.com"})]
    forwarder = forwarder_to(sink)
    assert forwarder.pump().sent == 0
    assert len(sink.arrived) == 1
    assert positions(tmp_path).refusals() == [("HTTP 401 Unauthorized", 50)]
    assert forwarder.retry_refused().sent == 0
    assert positions(tmp_path).refusals() == [("HTTP 302 Found", 50)]
    assert forwarder.retry_refused().sent == 50


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, body=b"Client sent an HTTP request to an HTTPS server.\n"),
        Answer(400, body=b"<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>"),
        Answer(200, body=b"<!doctype html>"),
    ],
)
def test_what_is_refused_whatever_is_sent_costs_one_request(
    tmp_path: Path, sink: HttpSink, forwarder_to: Make, answer: Answer
) -> None:
    Run(tmp_path).spans(50)
    sink.answers = [answer]
    forwarder = forwarder_to(sink)
    assert (forwarder.pump().sent, forwarder.counts()["set_aside"], len(sink.arrived)) == (0, 50, 1)
    assert forwarder.retry_refused().sent == 50


def test_requests_are_cut_to_size(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    sent = Run(tmp_path).spans(40, text="x" * 1000)
    assert forwarder_to(sink, request_limit=5_000).pump().sent == 40
    assert sorted(sink.span_ids) == sorted(sent)
    assert len(sink.arrived) >= 10
    assert all(len(arrived.body) <= 5_000 for arrived in sink.arrived)


def test_a_span_larger_than_any_request_goes_alone_and_is_set_aside_where_the_server_refuses_it(
    tmp_path: Path, forwarder_to: Make
) -> None:
    run = Run(tmp_path)
    run.spans(3)
    run.span(text="x" * 20_000)
    run.spans(3)
    small_sink = GrpcSink(limit=10_000)
    try:
        assert forwarder_to(small_sink, request_limit=10_000).pump().sent == 6
    finally:
        small_sink.close()
    ((reason, count),) = positions(tmp_path).refusals()
    assert "larger than max" in reason
    assert count == 1


def test_grpc_takes_more_than_one_message_can_hold(tmp_path: Path, grpc_sink: GrpcSink, forwarder_to: Make) -> None:
    sent = Run(tmp_path).spans(100, text="x" * 100_000)
    assert forwarder_to(grpc_sink).pump().sent == 100
    assert sorted(grpc_sink.span_ids) == sorted(sent)


def test_grpc_statuses_are_told_apart(tmp_path: Path, grpc_sink: GrpcSink, forwarder_to: Make) -> None:
    from google.protobuf.any_pb2 import Any as AnyMessage
    from google.protobuf.duration_pb2 import Duration
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    info = RetryInfo(retry_delay=Duration(seconds=7, nanos=500_000_000))
    detail = AnyMessage()
    detail.Pack(info)
    run = Run(tmp_path)
    run.span()
    grpc_sink.answers = [
        Answer("UNAVAILABLE", {"google.rpc.retryinfo-bin": info.SerializeToString()}),
        Answer("RESOURCE_EXHAUSTED", {"grpc-status-details-bin": Status(details=[detail]).SerializeToString()}),
        Answer("UNAUTHENTICATED", body=b"who are you"),
    ]
    forwarder = forwarder_to(grpc_sink)
    assert forwarder.pump().wait == 7.5
    assert forwarder.pump(patient=False).wait == 7.5
    assert forwarder.pump(patient=False).sent == 0
    assert positions(tmp_path).refusals() == [("gRPC UNAUTHENTICATED: who are you", 1)]


def test_only_one_sends_at_a_time(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    Run(tmp_path).span()
    forwarder = forwarder_to(sink)
    with (tmp_path / LOCK).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert forwarder.pump().busy
        assert sink.arrived == []
    assert forwarder.pump().sent == 1


def test_a_running_task_shows_by_a_marker_under_its_root(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    run = Run(tmp_path)
    trace_id, root_id = run.begin("task_a")
    over = run.begin("task_b")
    run.span("task b", trace_id=over[0], span_id=over[1])
    run.begin("task_c", sampled=False)
    run.begin("task_d", trace_id="nothing")
    forwarder = forwarder_to(sink)
    assert forwarder.pump().sent == 1
    (marker,) = [span for span in sink.spans if span.name == "task started"]
    assert (marker.trace_id, marker.parent_span_id) == (trace_id, root_id)
    assert marker.end_time_unix_nano - marker.start_time_unix_nano == 1000
    values = {pair.key: pair.value.string_value for pair in marker.attributes}
    assert (values["task_id"], values["session_id"]) == ("task_a", "auto_task_a")
    resource = {pair.key for message in sink.arrived[0].resource_spans for pair in message.resource.attributes}
    assert "telemetry.sdk.name" in resource
    run.span("task a", trace_id=trace_id, span_id=root_id)
    assert forwarder.pump().sent == 1
    assert [span.name for span in sink.spans].count("task started") == 1


def test_a_marker_that_is_sent_again_is_the_same_span(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    Run(tmp_path).begin("task_a")
    sink.answers = [Answer(503)]
    forwarder = forwarder_to(sink)
    forwarder.pump()
    forwarder.pump(patient=False)
    first, second = sink.spans
    assert first == second


def test_a_file_that_is_gone_once_it_was_done_is_forgotten(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    run = Run(tmp_path)
    run.span()
    forwarder = forwarder_to(sink)
    known = Positions(tmp_path / "forward.db")
    journal_dir = tmp_path / "journal"
    assert not known.is_done(journal_dir, run.path)
    forwarder.pump()
    assert known.is_done(journal_dir, run.path)
    run.end()
    assert not known.is_done(journal_dir, run.path)
    forwarder.pump()
    assert known.is_done(journal_dir, run.path)
    run.path.unlink()
    assert forwarder.pump(thorough=True).failed == ""
    assert known.offsets() == {}
    assert not known.is_done(journal_dir, run.path)


def test_a_torn_record_at_the_end_of_a_finished_file_is_nothing_to_wait_for(
    tmp_path: Path, sink: HttpSink, forwarder_to: Make
) -> None:
    run = Run(tmp_path)
    run.span()
    with run.path.open("ab") as file:
        file.write(frame(STATEMENT, b"{}")[:-1])
    forwarder = forwarder_to(sink)
    assert forwarder.pump().sent == 1
    assert positions(tmp_path).is_done(tmp_path / "journal", run.path)


def test_erased_spans_are_not_sent(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    run = Run(tmp_path)
    run.span("secret")
    kept = run.span("kept")
    record = next(r for r in reader.read_file(run.path).records if r.field == ENDED_SPAN)
    reader.overwrite(run.path, record.offset, record.size)
    assert forwarder_to(sink).pump().sent == 1
    assert sink.span_ids == [kept]


def test_a_file_of_a_newer_version_holds_nobody_up(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    newer = Run(tmp_path)
    newer.say(op="state")
    data = bytearray(frame(STATEMENT, b"{}"))
    data[-6] = 1
    newer.path.write_bytes(data)
    Run(tmp_path).span()
    assert forwarder_to(sink).pump().sent == 1
    assert not positions(tmp_path).is_done(tmp_path / "journal", newer.path)


def test_positions_of_a_newer_version_and_what_is_no_database_are_refused(tmp_path: Path) -> None:
    Positions(tmp_path / "forward.db")._connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StorageError, match="newer"):
        read(tmp_path)
    (tmp_path / "forward.db").write_bytes(b"x" * 5000)
    with pytest.raises(StorageError, match="delete it"):
        read(tmp_path)


def test_after_a_fork_the_child_does_not_hold_the_lock(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    Run(tmp_path).span()
    forwarder = forwarder_to(sink)
    child: list[int] = []

    def fork_in_the_middle(body: bytes) -> Answer:
        child.append(os.fork())
        if not child[0]:
            import time

            time.sleep(30)
            os._exit(0)
        return Answer()

    sink.answer = fork_in_the_middle
    try:
        assert forwarder.pump().sent == 1
        assert not forwarder.pump().busy
        assert not forwarder_to(sink).pump().busy
    finally:
        os.kill(child[0], 9)
        os.waitpid(child[0], 0)


# --- AGENTOS_OTEL_KEEP ---


def ids(share: float, *, kept: bool) -> Iterator[str]:
    return (name for n in range(1000) if (fraction(name := f"task_{n:04}") < share) is kept)


def test_a_task_waits_for_its_end_and_is_sent_whole_or_not_at_all(
    tmp_path: Path, sink: HttpSink, forwarder_to: Make
) -> None:
    kept, left_out = next(ids(0.5, kept=True)), next(ids(0.5, kept=False))
    first, second = Run(tmp_path), Run(tmp_path)
    trace_id, root_id = first.begin(kept)
    spans = first.spans(3, task_id=kept) + second.spans(2, task_id=kept)
    second.spans(4, task_id=left_out)
    outside = second.span()
    forwarder = forwarder_to(sink, keep=0.5)
    assert forwarder.pump().sent == 1
    assert sink.span_ids == [outside]
    assert not positions(tmp_path).is_done(tmp_path / "journal", first.path)
    for task_id in (kept, left_out):
        second.say(op="end", task_id=task_id, attempt=1, status="completed")
    root = second.span("root", trace_id=trace_id, span_id=root_id, task_id=kept)
    second.span("root", task_id=left_out)
    forwarder_to(sink, keep=0.5).pump()  # another process, later
    late = first.span("late", task_id=kept)
    first.span("late", task_id=left_out)
    forwarder.pump()
    assert sorted(sink.span_ids) == sorted([*spans, outside, root, late])
    assert forwarder.counts()["left_out"] == 6
    assert positions(tmp_path).is_done(tmp_path / "journal", first.path)


@pytest.mark.parametrize("why", ["error", "keep", "failed"])
def test_an_error_or_a_wish_at_any_moment_keeps_a_task_whole(
    tmp_path: Path, sink: HttpSink, forwarder_to: Make, why: str
) -> None:
    task_id = next(ids(0.0, kept=False))
    run = Run(tmp_path)
    spans = [run.span(task_id=task_id)]
    forwarder = forwarder_to(sink, keep=0.0)
    assert forwarder.pump().sent == 0
    if why == "keep":
        run.say(op="keep", task_id=task_id)
    spans.append(run.span(task_id=task_id, error=why == "error"))
    forwarder.pump()
    run.say(op="end", task_id=task_id, attempt=1, status="failed" if why == "failed" else "completed")
    forwarder.pump()
    assert sorted(sink.span_ids) == sorted(spans)


def test_a_task_that_ended_on_another_host_is_asked_for(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    run = Run(tmp_path)
    run.span(task_id="task_of_two")
    run.span(task_id="task_that_goes_on")
    forwarder = forwarder_to(sink, keep=0.0, ended=lambda task_ids: {"task_of_two": "failed"})
    assert forwarder.pump().sent == 1


def test_an_end_that_was_read_before_a_crash_is_remembered(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    task_id = next(ids(0.5, kept=True))
    run = Run(tmp_path)
    run.span(task_id=task_id)
    run.say(op="end", task_id=task_id, attempt=1, status="completed")
    sink.answers = [Answer(503)]
    assert forwarder_to(sink, keep=0.5).pump().failed
    assert forwarder_to(sink, keep=0.5).pump(patient=False).sent == 1


def test_what_waits_is_sent_once_every_task_is_kept(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    Run(tmp_path).span(task_id="task_waits")
    assert forwarder_to(sink, keep=0.5).pump().sent == 0
    assert forwarder_to(sink, keep=1.0).pump().sent == 1


def test_what_waits_and_is_erased_is_neither_sent_nor_lost(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    run = Run(tmp_path)
    run.span(task_id="task_waits")
    kept = run.span(task_id="task_waits")
    forwarder_to(sink, keep=0.5).pump()
    record = next(r for r in reader.read_file(run.path).records if r.field == ENDED_SPAN)
    reader.overwrite(run.path, record.offset, record.size)
    forwarder = forwarder_to(sink, keep=1.0)
    assert forwarder.pump().sent == 1
    assert sink.span_ids == [kept]
    assert forwarder.counts()["lost"] == 0


def test_a_file_with_refused_spans_stays_where_they_are_found_for_a_week(
    tmp_path: Path, sink: HttpSink, forwarder_to: Make
) -> None:
    run = Run(tmp_path)
    run.span()
    sink.answer = lambda body: Answer(401)
    forwarder_to(sink).pump()
    known = positions(tmp_path)
    assert not known.is_done(tmp_path / "journal", run.path)
    known._connection.execute("UPDATE parked SET at = at - ?", (8 * 24 * 3600,))
    assert known.is_done(tmp_path / "journal", run.path)


def test_what_was_held_back_and_is_gone_is_counted(tmp_path: Path, sink: HttpSink, forwarder_to: Make) -> None:
    run = Run(tmp_path)
    run.span(task_id="task_waits")
    forwarder_to(sink, keep=0.5).pump()
    run.path.unlink()
    forwarder = forwarder_to(sink, keep=1.0)
    assert forwarder.pump().sent == 0
    assert forwarder.counts()["lost"] == 1


# --- settings ---


def test_a_certificate_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    destination = Destination("http/protobuf", "https://localhost:1/", certificate=str(wrong))
    with pytest.raises(ConfigurationError, match="certificate"):
        forwarding.open_sender(destination)
