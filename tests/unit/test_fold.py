"""Spans folded under shared headers decode to the spans of their records, whatever the records hold."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from agentos_otel.export import fold
from agentos_otel.journal import encoding, reader
from agentos_otel.journal.record import ENDED_SPAN, read_varint

IDS = st.binary(min_size=16, max_size=16)
TEXT = st.text(max_size=20)


@st.composite
def ours(draw: st.DrawFn) -> bytes:
    encoder = encoding.SpanEncoder({"service.name": draw(st.sampled_from(["a", "b", "c" * 200]))})
    named = encoding.name(draw(TEXT), 1)
    parts = [encoding.attributes({draw(TEXT): draw(st.text(max_size=400))}), encoding.status(draw(st.integers(0, 2)))]
    head = encoding.head(draw(IDS), draw(IDS)[:8], draw(st.sampled_from([b"", b"12345678"])), named, 1, 2)
    return reader.parse(encoder.record(ENDED_SPAN, [head, *parts])).records[0].body


@st.composite
def foreign(draw: st.DrawFn) -> bytes:
    message = ResourceSpans(schema_url=draw(TEXT))
    message.resource.attributes.add(key="service.name").value.string_value = draw(TEXT)
    for _ in range(draw(st.integers(0, 3))):
        scope = message.scope_spans.add(schema_url=draw(TEXT))
        scope.scope.name = draw(TEXT)
        for _ in range(draw(st.integers(0, 3))):
            scope.spans.add(trace_id=draw(st.one_of(IDS, st.just(b""))), name=draw(TEXT))
    return bytes(message.SerializeToString())


def flat(message: ResourceSpans) -> list[tuple[bytes, ...]]:
    return [
        (
            message.resource.SerializeToString(),
            message.schema_url.encode(),
            scope.scope.SerializeToString(),
            scope.schema_url.encode(),
            span.SerializeToString(),
        )
        for scope in message.scope_spans
        for span in scope.spans
    ]


@settings(deadline=None)
@given(st.lists(st.one_of(ours(), foreign()), max_size=12))
def test_a_request_decodes_to_the_spans_of_its_records(bodies: list[bytes]) -> None:
    splitter = fold.Splitter()
    pieces = [piece for body in bodies for piece in splitter.split(body)]
    sent = ExportTraceServiceRequest.FromString(fold.request(pieces))
    want = [span for body in bodies for span in flat(ResourceSpans.FromString(body))]
    found = [span for message in sent.resource_spans for span in flat(message)]
    assert sorted(found) == sorted(want)
    assert [piece.trace_id for piece in pieces] == [
        span.trace_id for b in bodies for s in ResourceSpans.FromString(b).scope_spans for span in s.spans
    ]


@settings(deadline=None)
@given(st.lists(ours(), min_size=2, max_size=12))
def test_equal_headers_are_sent_once(bodies: list[bytes]) -> None:
    splitter = fold.Splitter()
    sent = ExportTraceServiceRequest.FromString(fold.request([p for body in bodies for p in splitter.split(body)]))
    resources = [message.resource.SerializeToString() for message in sent.resource_spans]
    assert len(resources) == len(set(resources))


@given(data=st.one_of(st.binary(max_size=80), ours()), cut=st.integers(0, 200), flips=st.lists(st.integers(0, 4000)))
def test_bytes_that_are_no_message_are_refused_by_value_error_alone(data: bytes, cut: int, flips: list[int]) -> None:
    broken = bytearray(data[: max(1, len(data) - cut)] if data else b"")
    for flip in flips:
        if broken:
            broken[flip // 8 % len(broken)] ^= 1 << flip % 8
    splitter = fold.Splitter()
    with suppress(ValueError):
        splitter.split(data)  # so that the way for records that look alike is tried too
    try:
        found = splitter.split(bytes(broken))
    except ValueError:
        return
    assert all(piece.span in bytes(broken) for piece in found)


def test_a_varint_without_end_is_no_length() -> None:
    with pytest.raises(ValueError, match="too long"):
        read_varint(b"\xff" * 20, 0)


@pytest.mark.parametrize("body", [b"\x10\x01", b"\x12\x02\x10\x01"])
def test_a_number_where_a_scope_or_a_span_stands_is_none(body: bytes) -> None:
    assert flat(ResourceSpans.FromString(body)) == []
    assert fold.Splitter().split(body) == []
