"""What is fuzzed: each target takes any bytes, and lets through only what it documents to raise."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, TracesData

from agentos_otel.context.ids import usable_id
from agentos_otel.correlation import trailers
from agentos_otel.errors import ConfigurationError, StorageError
from agentos_otel.export import fold
from agentos_otel.instrumentation.point_map import load_map, parse_map
from agentos_otel.journal import reader, scanning
from agentos_otel.journal.record import ENDED_SPAN, LOG_RECORD
from agentos_otel.semconv import ENV_TASK_ID, ENV_TRACEPARENT, W3C_TRACEPARENT
from agentos_otel.store import decode
from agentos_otel.tracing import carriers, task_file
from tests.fuzz.whole_store import fuzz_store

_IDENTITY: Final = trailers.Identity("task0001", "session0001", "ab" * 16)
_FOLDER: Final = Path(tempfile.mkdtemp(prefix="fuzz-"))
_scanner = scanning.Scanner()
_splitter = fold.Splitter()


def fuzz_reader(data: bytes) -> None:
    """A journal's bytes: each is in a record or in a gap, and what is read piece by piece is what is read at once."""
    try:
        chunk = reader.parse(data, final=True)
    except StorageError:
        return
    assert sum(record.size for record in chunk.records) + chunk.damaged_bytes == chunk.next_offset == len(data)
    path = _FOLDER / "run.otlp"
    path.write_bytes(data)
    pieces, offset = [], 0
    with contextlib.suppress(StorageError):  # a piece may end where only a newer version's records stand
        while offset < len(data):
            piece = reader.read_file(path, offset, final=True, limit=512)
            pieces += piece.records
            offset = piece.next_offset
        assert pieces == chunk.records


def fuzz_decode(data: bytes) -> None:
    """A record's body: plain values that can be shown as JSON, or a ValueError."""
    assert isinstance(decode.statement(data), dict)
    for decoded in (decode.spans, decode.logs):
        with contextlib.suppress(ValueError):
            json.dumps(decoded(data))


def fuzz_scanning(data: bytes) -> None:
    """A record's body: ids that stand in it, by a scanner that has seen others as by none, or a ValueError."""
    for field in (ENDED_SPAN, LOG_RECORD):
        try:
            found = scanning.ids_of(field, data)
        except ValueError:
            found = None
        try:
            assert _scanner.ids_of(field, data) == found
        except ValueError:
            assert found is None
        assert all(part in data for ids in found or () for part in ids)
    with contextlib.suppress(ValueError):
        scanning.start_of(data)


def fuzz_fold(data: bytes) -> None:
    """A record's body: its spans, as many as the official decoder finds, or a ValueError."""
    try:
        pieces = list(fold.pieces(data))
    except ValueError:
        pieces = None
    try:
        assert _splitter.split(data) == pieces
    except ValueError:
        assert pieces is None
    if pieces is None:
        return
    sent = fold.request(pieces)
    assert all(len(piece.trace_id) in (0, 16) and len(piece.span_id) in (0, 8) for piece in pieces)
    try:
        official = ResourceSpans.FromString(data)
    except DecodeError:
        return
    found = [
        span for message in TracesData.FromString(sent).resource_spans for s in message.scope_spans for span in s.spans
    ]
    assert len(found) == len(pieces) == sum(len(scope.spans) for scope in official.scope_spans)


def fuzz_trailers(data: bytes) -> None:
    """A commit message: what is stamped is not stamped twice."""
    message = data.decode("utf-8", "replace")
    assert all(value and not value.isspace() for value in trailers.read(message).values())
    stamped = trailers.stamp(message, _IDENTITY)
    assert trailers.stamp(stamped, _IDENTITY) == stamped


def fuzz_ids(data: bytes) -> None:
    """What the environment, a header or a task file gives: ids of the right length, or none."""
    text = data.decode("utf-8", "surrogateescape")
    usable_id(text)
    for variable in (ENV_TRACEPARENT, W3C_TRACEPARENT):
        carriers.inherited_from({ENV_TASK_ID: text, variable: text})
    parent = carriers.foreign_parent({W3C_TRACEPARENT: text})
    assert parent is None or (len(parent.trace_id), len(parent.span_id)) == (16, 8)
    path = _FOLDER / "task"
    path.write_bytes(data)
    task_file.attempt_of(task_file.read(path))


def fuzz_map(data: bytes) -> None:
    """A map's text: points that know their line, or one line that says what is wrong."""
    path = _FOLDER / "pyproject.toml"
    path.write_bytes(data)
    with contextlib.suppress(ConfigurationError):
        load_map(path)
    text = data.decode("utf-8", "replace")
    lines, said = [], ""
    try:
        lines = [point.line for point in parse_map(text, "map").points]
    except ConfigurationError as error:
        said = str(error)
    assert len(said.splitlines()) == (0 if lines else 1)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "reader": fuzz_reader,
    "decode": fuzz_decode,
    "scanning": fuzz_scanning,
    "fold": fuzz_fold,
    "trailers": fuzz_trailers,
    "ids": fuzz_ids,
    "map": fuzz_map,
    "store": fuzz_store,
}
