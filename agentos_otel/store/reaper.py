"""Finishes the work of dead runs: their open spans are abandoned, they leave their tasks, owed roots are written.

A run is dead when its first segment is no longer locked and does not end with an end record. Whoever looks first does
it; the exclusive lock on the dead file makes it once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from agentos_otel import semconv
from agentos_otel.journal import reader
from agentos_otel.journal.encoding import json_bytes
from agentos_otel.journal.record import ENDED_SPAN, ENDED_SPANS, STARTED_SPAN, STATEMENT, frame
from agentos_otel.store import decode
from agentos_otel.tracing import task_file

if TYPE_CHECKING:
    from agentos_otel.tasks.store import TaskStore

ABANDONED: Final = "abandoned"


def is_alive(path: Path) -> bool:
    """Whether the writer of the journal at `path` (its first segment) lives; probes with a shared lock."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def reap(journal_dir: Path, host: str, store: TaskStore | None) -> int:
    """Finish every dead run of this host that nobody has finished yet; returns how many.

    Args:
        journal_dir: The folder of the journals.
        host: Name of this host; other hosts' runs are left to them.
        store: The task store, or None where there is none.
    """
    count = 0
    for path in sorted((journal_dir / "live" / host).glob("*.otlp")):
        if path.name.count(".") == 1 and not _is_done(path) and not is_alive(path):
            count += _finish(path, store)
    return count


def _is_done(path: Path) -> bool:
    """Whether the file ends with an end record; read from its tail, so that finished runs cost little."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 512))
        tail = file.read()
        return b'"op":"run_end"' in tail and _last_is_end(tail)
    return True


def _last_is_end(tail: bytes) -> bool:
    records = reader.parse(tail, final=True).records
    return bool(records) and records[-1].field == STATEMENT and decode.statement(records[-1].body)["op"] == "run_end"


def _finish(path: Path, store: TaskStore | None) -> int:
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0  # another reaper is at it, or the writer lives after all
        segments = [path, *sorted(path.parent.glob(f"{path.stem}.[0-9]*.otlp"))]
        chunks = [reader.read_file(segment) for segment in segments]
        if _last_is_end(path.read_bytes()[-512:]):
            return 0
        if len(segments) == 1:
            file.truncate(chunks[0].next_offset)  # a torn tail: what follows it must stand at a record's border
        records = [record for chunk in chunks for record in chunk.records]
        run_id = path.stem
        last_ns = max([int(path.stat().st_mtime_ns), *(span.start_time_unix_nano for _, span, _ in _spans(records))])
        target = segments[-1].open("ab") if len(segments) > 1 else None
        with target or contextlib.nullcontext(file) as out:
            out.seek(0, os.SEEK_END)
            for body in _abandoned(records, last_ns):
                out.write(frame(ENDED_SPAN, body))
            for statement in _operations(run_id, records, last_ns, store, out):
                out.write(frame(STATEMENT, json_bytes(statement)))
        file.seek(0, os.SEEK_END)
        end = {"op": "run_end", "run_id": run_id, "by": "reaper", "at": last_ns}
        file.write(frame(STATEMENT, json_bytes(end)))
    return 1


def _spans(records: list[reader.Record]) -> Iterator[tuple[reader.Record, Span, ResourceSpans]]:
    for record in records:
        if record.field in (*ENDED_SPANS, STARTED_SPAN):
            message = ResourceSpans.FromString(record.body)
            for scope in message.scope_spans:
                for span in scope.spans:
                    yield record, span, message


def _is_reserved(span: Span) -> bool:
    return any(pair.key == semconv.AGENTOS_RESERVED for pair in span.attributes)


def _abandoned(records: list[reader.Record], at: int) -> Iterator[bytes]:
    """Yield the open spans of a dead run, ended under their own ids; reserved roots follow their attempt instead."""
    ended = {span.span_id for record, span, _ in _spans(records) if record.field in ENDED_SPANS}
    for record, span, message in _spans(records):
        if record.field == STARTED_SPAN and span.span_id not in ended and not _is_reserved(span):
            span.end_time_unix_nano = max(at, span.start_time_unix_nano)
            span.status.code = Status.STATUS_CODE_ERROR
            span.status.message = "the process ended without ending this span"
            span.attributes.add(key=semconv.ERROR_TYPE).value.string_value = ABANDONED
            yield message.SerializeToString()


class _Said:
    """What a run has said of its part in attempts, by (task id, attempt)."""

    def __init__(self, run_id: str, records: list[reader.Record]) -> None:
        self.joined: dict[tuple[str, int], dict[str, Any]] = {}
        self.owned: set[tuple[str, int]] = set()
        self.claimed: dict[tuple[str, int], dict[str, Any]] = {}
        self.left: set[tuple[str, int]] = set()
        self.owed: list[dict[str, Any]] = []
        statements = [decode.statement(record.body) for record in records if record.field == STATEMENT]
        for said in statements:
            if said.get("op") == "settled":
                self.owed = []
            elif said.get("op") == "reserved" and not task_file.is_claimed(said["file"]):
                self.owed = said["operations"]
        for said in statements + self.owed:
            key = (said.get("task_id", ""), said.get("attempt", 0))
            if said.get("op") == "join":
                self.joined[key] = said
                self.left.discard(key)
            elif said.get("op") == "attempt" and said.get("owner_run") == run_id:
                self.owned.add(key)
            elif said.get("op") == "end":
                self.claimed[key] = said
            elif said.get("op") == "leave":
                self.left.add(key)


def _operations(
    run_id: str, records: list[reader.Record], at: int, store: TaskStore | None, out: Any
) -> Iterator[dict[str, Any]]:
    """Yield (and apply) what the dead run owes the task store, and write the roots that it owes."""
    said = _Said(run_id, records)
    if said.owed and store is not None:
        store.apply(said.owed, timeout=10)
    yield from said.owed
    roots = {span.trace_id.hex() + span.span_id.hex() for r, span, _ in _spans(records) if r.field in ENDED_SPANS}
    for key in said.joined:
        operations: list[dict[str, Any]] = []
        if key not in said.left:
            operations.append({"op": "leave", "run_id": run_id, "task_id": key[0], "attempt": key[1], "at": at})
        end = said.claimed.get(key)
        if end is None and key in said.owned and key not in said.left:
            end = {"op": "end", "task_id": key[0], "attempt": key[1], "status": "failed", "error_type": ABANDONED}
            end.update(run_id=run_id, at=at)
            operations.append(end)
        if operations and store is not None:
            results = store.apply(operations, timeout=10)
            if end is not None and end in operations and results[-1] is False:
                end = None  # somebody else has ended it, and written its root
        yield from operations
        if end is not None:
            for record, span, message in _spans(records):
                known = span.trace_id.hex() + span.span_id.hex()
                if record.field == STARTED_SPAN and _is_reserved(span) and known not in roots and _names(span, key):
                    out.write(frame(ENDED_SPAN, _root(span, message, end)))


def _names(span: Span, key: tuple[str, int]) -> bool:
    values = {pair.key: decode.value_of(pair.value) for pair in span.attributes}
    return (values.get(semconv.TASK_ID), values.get(semconv.AGENTOS_TASK_ATTEMPT)) == key


def _root(span: Span, message: ResourceSpans, end: dict[str, Any]) -> bytes:
    """Return the root that was reserved, ended as the claim says."""
    span.end_time_unix_nano = max(end["at"], span.start_time_unix_nano)
    kept = [pair for pair in span.attributes if pair.key != semconv.AGENTOS_RESERVED]
    del span.attributes[:]
    span.attributes.extend(kept)
    if end["status"] == "failed":
        span.status.code = Status.STATUS_CODE_ERROR
        span.attributes.add(key=semconv.ERROR_TYPE).value.string_value = end.get("error_type") or "failed"
    if end["status"] == "cancelled":
        span.attributes.add(key=semconv.AGENTOS_CANCELLED).value.bool_value = True
    return bytes(message.SerializeToString())
