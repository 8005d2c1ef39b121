"""Ids read off the wire are those that the official decoder reads, and any other bytes are refused."""

from __future__ import annotations

import random

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from agentos_otel.journal import encoding
from agentos_otel.journal.reader import parse
from agentos_otel.journal.record import ENDED_SPAN, LOG_RECORD, STARTED_SPAN, STATEMENT, varint
from agentos_otel.journal.scanning import Ids, Scanner, ids_of, start_of

ID = st.one_of(st.binary(max_size=20), st.binary(min_size=16, max_size=16), st.binary(min_size=200, max_size=300))
TEXT = st.text(max_size=300)
TIME = st.integers(0, 2**64 - 1)
UNKNOWN = st.lists(
    st.one_of(
        st.tuples(st.integers(30, 3000), st.just(0), st.integers(0, 2**64 - 1).map(varint)),
        st.tuples(st.integers(30, 3000), st.just(1), st.binary(min_size=8, max_size=8)),
        st.tuples(st.integers(30, 3000), st.just(2), st.binary(max_size=200).map(lambda b: varint(len(b)) + b)),
        st.tuples(st.integers(30, 3000), st.just(5), st.binary(min_size=4, max_size=4)),
    ).map(lambda field: varint(field[0] << 3 | field[1]) + field[2]),
    max_size=3,
)
"""Fields of a later version, of every wire type."""


@st.composite
def spans(draw: st.DrawFn) -> tuple[bytes, list[Ids], int]:
    """Return a `ResourceSpans` message whose fields stand in any order, what it names, and its first start."""
    message, named, starts = [draw(UNKNOWN)], [], []
    message.append([encoding.field(1, encoding.resource({"service.name": draw(TEXT)}))])
    for _ in range(draw(st.integers(0, 3))):
        scope = [*draw(UNKNOWN), encoding.field(1, b""), encoding.field(3, b"https://schema")]
        for _ in range(draw(st.integers(0, 3))):
            ids, start = (draw(ID), draw(ID)), draw(TIME)
            fields = [
                *draw(UNKNOWN),
                encoding.field(1, ids[0]),
                encoding.field(2, ids[1]),
                encoding.field(4, draw(ID)),
                b"\x39" + start.to_bytes(8, "little"),
                encoding.attributes({draw(TEXT): draw(TEXT)}),
            ]
            scope.append(encoding.field(2, b"".join(draw(st.permutations(fields)))))
            named.append(ids)
            starts.append(start)
        message.append([encoding.field(2, b"".join(scope))])
    return b"".join(b"".join(part) for part in message), named, starts[0] if starts else 0


@settings(deadline=None)
@given(spans())
def test_the_ids_and_the_start_of_spans_are_those_that_were_written_and_that_the_official_decoder_reads(
    made: tuple[bytes, list[Ids], int],
) -> None:
    body, named, start = made
    official = [span for scope in ResourceSpans.FromString(body).scope_spans for span in scope.spans]
    assert [(span.trace_id, span.span_id) for span in official] == named
    assert ids_of(ENDED_SPAN, body) == named
    assert start_of(body) == start == (official[0].start_time_unix_nano if official else 0)


@settings(deadline=None)
@given(st.lists(st.tuples(ID, ID, TEXT), max_size=4))
def test_the_ids_of_log_records_are_those_of_the_official_encoder(records: list[tuple[bytes, bytes, str]]) -> None:
    message = ResourceLogs()
    for trace_id, span_id, text in records:
        scope = message.scope_logs.add()
        record = scope.log_records.add(trace_id=trace_id, span_id=span_id, time_unix_nano=7)
        record.body.string_value = text
    assert ids_of(LOG_RECORD, message.SerializeToString()) == [record[:2] for record in records]


@given(spans(), st.integers(0, 2**32), st.integers(1, 3))
def test_what_is_damaged_is_refused_or_names_only_what_stands_in_it(
    made: tuple[bytes, list[Ids], int], seed: int, hits: int
) -> None:
    dice = random.Random(seed)
    body = bytearray(made[0])
    for _ in range(hits if body else 0):
        body[dice.randrange(len(body))] = dice.randrange(256)
    del body[dice.choice([len(body), dice.randrange(len(body) + 1)]) :]
    for field in (ENDED_SPAN, LOG_RECORD):
        try:
            named = ids_of(field, bytes(body))
        except ValueError:
            continue
        assert all(part in body for ids in named for part in ids)
    try:
        start_of(bytes(body))
    except ValueError:
        return


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for field in (ENDED_SPAN, LOG_RECORD):
        try:
            ids_of(field, body)
        except ValueError:
            continue
    try:
        ResourceSpans.FromString(body)
    except DecodeError:
        return


RUN = st.lists(
    st.tuples(st.sampled_from([ENDED_SPAN, STARTED_SPAN]), st.binary(min_size=16, max_size=16), st.integers(0, 3), TEXT)
)


@settings(deadline=None)
@given(RUN, st.lists(spans(), max_size=3), st.randoms(use_true_random=False))
def test_a_scanner_that_has_seen_the_like_reads_the_same_ids(
    run: list[tuple[int, bytes, int, str]], others: list[tuple[bytes, list[Ids], int]], dice: random.Random
) -> None:
    encoders = [encoding.SpanEncoder({"service.instance.id": name}) for name in ("one", "two")]
    records = [(ENDED_SPAN, body) for body, _, _ in others]
    for field, trace_id, number, text in run:
        head = encoding.head(trace_id, trace_id[:8], trace_id[8:] * (number % 2), encoding.name(text, 1), 1, 2)
        (record,) = parse(encoders[number // 2].record(field, [head])).records
        records += [(field, record.body)] * 2
    dice.shuffle(records)
    scanner = Scanner()
    for field, body in records:
        assert scanner.ids_of(field, body) == ids_of(field, body)


@given(st.binary(min_size=16, max_size=16), st.integers(0, 10_000), st.integers(0, 255))
def test_a_scanner_is_not_misled_by_a_record_that_looks_much_like_another(trace_id: bytes, at: int, byte: int) -> None:
    head = encoding.head(trace_id, trace_id[:8], b"", encoding.name("name", 1), 1, 2)
    (record,) = parse(encoding.SpanEncoder({"service.instance.id": "one"}).record(ENDED_SPAN, [head])).records
    scanner, other = Scanner(), bytearray(record.body)
    scanner.ids_of(ENDED_SPAN, record.body)
    other[at % len(other)] = byte
    try:
        expected = ids_of(ENDED_SPAN, bytes(other))
    except ValueError:
        with pytest.raises(ValueError, match=" "):
            scanner.ids_of(ENDED_SPAN, bytes(other))
    else:
        assert scanner.ids_of(ENDED_SPAN, bytes(other)) == expected


def test_a_statement_names_no_ids() -> None:
    assert ids_of(STATEMENT, b'{"op":"run_end"}') == []


@pytest.mark.parametrize("body", [b"\x12\x05\x12\x03\x0a", b"\x0b\x0c", b"\x80" * 12, b"\x12\x02\x12\x05"])
def test_what_is_cut_off_nested_wrongly_or_of_another_wire_type_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|beyond|too long|wire type"):
        ids_of(ENDED_SPAN, body)


@pytest.mark.parametrize("rest", [b"\x83", b"\x0b\x0c", b"\x22\xff", b"\x22"])
def test_the_start_of_a_span_that_is_cut_off_behind_its_ids_is_refused(rest: bytes) -> None:
    ids = encoding.identity(b"\x01" * 16) + b"\x02" * 8
    body = encoding.field(2, encoding.field(2, ids + rest))
    assert ids_of(ENDED_SPAN, body) == [(b"\x01" * 16, b"\x02" * 8)]
    with pytest.raises(ValueError, match=r"cut off|wire type"):
        start_of(body)
