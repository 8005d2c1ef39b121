"""Journal records: what official decoders see, and what a reader finds around any damage."""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agentos_otel.errors import StorageError
from agentos_otel.journal import encoding, reader
from agentos_otel.journal.log_encoding import encode_context, log_parts
from agentos_otel.journal.record import ENDED_SPAN, FIELDS, LOG_RECORD, STATEMENT, frame
from agentos_otel.store import decode
from agentos_otel.tracing.limits import cut

TEXT = st.text(max_size=40)
VALUES = st.one_of(TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
ATTRIBUTES = st.dictionaries(TEXT, st.one_of(VALUES, st.lists(VALUES, max_size=4)), max_size=6)
RECORDS = st.lists(st.tuples(st.sampled_from(FIELDS), st.binary(max_size=60)), min_size=1, max_size=8)


@given(
    attributes=ATTRIBUTES, name=TEXT, times=st.tuples(st.integers(0, 2**63), st.integers(0, 2**63)), events=ATTRIBUTES
)
def test_a_span_decodes_with_the_official_classes_to_what_was_encoded(
    attributes: dict[str, Any], name: str, times: tuple[int, int], events: dict[str, Any]
) -> None:
    trace_id, span_id, parent = b"\x01" * 16, b"\x02" * 8, b"\x03" * 8
    parts = [
        encoding.head(trace_id, span_id, parent, encoding.name(name, 1), *times),
        encoding.attributes(attributes),
        encoding.events([encoding.Event(5, name, events)]),
        encoding.links([encoding.Link(trace_id, span_id, {})]),
        encoding.status(2, name),
    ]
    encoder = encoding.SpanEncoder({"service.name": name})
    (found,) = TracesData.FromString(encoder.record(ENDED_SPAN, parts)).resource_spans
    span = found.scope_spans[0].spans[0]
    clean = name.encode("utf-8", "replace").decode()
    assert (span.trace_id, span.span_id, span.parent_span_id, span.name) == (trace_id, span_id, parent, clean)
    assert (span.start_time_unix_nano, span.end_time_unix_nano, span.flags, span.kind) == (*times, 1, 1)
    decoded = {pair.key: decode.value_of(pair.value) for pair in span.attributes}
    assert decoded == attributes
    assert {pair.key: decode.value_of(pair.value) for pair in span.events[0].attributes} == events
    assert (span.links[0].trace_id, span.status.code, span.status.message) == (trace_id, 2, clean)


@given(message=TEXT, level=st.sampled_from([10, 20, 30, 40, 50]))
def test_a_log_record_decodes_with_the_official_classes(message: str, level: int) -> None:
    record = logging.LogRecord("host", level, "file.py", 3, message.replace("%", "%%"), (), None, "fn")
    parts, was_cut = log_parts(record, encode_context("01" * 16, "02" * 8, 1, "t", "s"), cut)
    framed = encoding.SpanEncoder({"service.name": "x"}).record(LOG_RECORD, parts)
    log = ResourceLogs.FromString(reader.parse(framed).records[0].body).scope_logs[0].log_records[0]
    assert log.body.string_value == cut(record.getMessage())[0]
    assert (log.trace_id.hex(), log.span_id.hex(), log.flags, was_cut) == ("01" * 16, "02" * 8, 1, False)
    assert (log.severity_text, log.severity_number) == (
        logging.getLevelName(level),
        {10: 5, 20: 9, 30: 13, 40: 17, 50: 21}[level],
    )


def written(records: list[tuple[int, bytes]]) -> tuple[bytes, list[tuple[int, int]]]:
    data, places = b"", []
    for field, body in records:
        record = frame(field, body)
        places.append((len(data), len(record)))
        data += record
    return data, places


@given(records=RECORDS)
def test_an_intact_file_is_read_whole(records: list[tuple[int, bytes]]) -> None:
    data, _ = written(records)
    chunk = reader.parse(data, final=True)
    assert [(record.field, record.body) for record in chunk.records] == records
    assert (chunk.damaged, chunk.next_offset) == (0, len(data))


@given(records=RECORDS, garbage=st.binary(min_size=1, max_size=30), seed=st.integers(0, 2**32))
def test_every_intact_record_is_found_around_garbage_at_any_byte_and_the_damage_is_counted(
    records: list[tuple[int, bytes]], garbage: bytes, seed: int
) -> None:
    data, places = written(records)
    at = random.Random(seed).randrange(len(data) + 1)
    chunk = reader.parse(data[:at] + garbage + data[at:], final=True)
    intact = [r for r, (start, size) in zip(records, places, strict=True) if at <= start or at >= start + size]
    found = [(record.field, record.body) for record in chunk.records]
    assert [record for record in found if record in intact][: len(intact)] == intact
    assert chunk.damaged >= 1


@given(records=RECORDS, seed=st.integers(0, 2**32))
def test_a_flipped_bit_loses_one_record_at_most_and_is_counted(records: list[tuple[int, bytes]], seed: int) -> None:
    data, places = written(records)
    chance = random.Random(seed)
    at = chance.randrange(len(data))
    broken = bytearray(data)
    broken[at] ^= 1 << chance.randrange(8)
    intact = [r for r, (start, size) in zip(records, places, strict=True) if not start <= at < start + size]
    try:
        chunk = reader.parse(bytes(broken), final=True)
    except StorageError:
        return  # a flip in the version bytes reads as a newer format: refused, not misread
    found = [(record.field, record.body) for record in chunk.records]
    assert all(record in found for record in intact)
    assert chunk.damaged >= 1


@given(records=RECORDS)
def test_tailing_byte_by_byte_gives_what_reading_at_once_gives(records: list[tuple[int, bytes]]) -> None:
    data, _ = written(records)
    offset, found = 0, []
    for end in range(len(data) + 1):
        chunk = reader.parse(data[offset:end], offset)
        found += chunk.records
        offset = chunk.next_offset
        assert chunk.damaged == 0
    assert [(record.field, record.body) for record in found] == records


def test_an_erased_record_leaves_a_file_that_is_intact(tmp_path: Path) -> None:
    encoder = encoding.SpanEncoder({"service.name": "x"})
    head = encoding.head(b"\x01" * 16, b"\x02" * 8, b"", encoding.name("secret", 1), 1, 2)
    span = encoder.record(ENDED_SPAN, [head])
    path = tmp_path / "run.otlp"
    path.write_bytes(span * 2)
    first = reader.read_file(path).records[0]
    reader.overwrite(path, first.offset, first.size)
    chunk = reader.read_file(path, final=True)
    assert [record.field for record in chunk.records] == [STATEMENT, ENDED_SPAN]
    assert chunk.damaged == 0
    assert len(TracesData.FromString(path.read_bytes()).resource_spans) == 1


def test_a_newer_format_is_refused() -> None:
    data = bytearray(frame(STATEMENT, b"{}"))
    data[-6] = 1
    with pytest.raises(StorageError, match="newer"):
        reader.parse(bytes(data))
