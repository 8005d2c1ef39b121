"""What the journal of a dead run says: the spans it left open, the tasks it was in, the ends it owes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from agentos_otel import semconv
from agentos_otel.journal import reader
from agentos_otel.journal.record import CHECK_SIZE, ENDED_SPANS, LOG_RECORD, STARTED_SPAN, STATEMENT, TAGS
from agentos_otel.model import Operation
from agentos_otel.store import decode
from agentos_otel.store.applying import is_well_formed
from agentos_otel.store.segments import count_of

ABANDONED: Final = "abandoned"
_CHUNK: Final = 4 << 20

Part = tuple[str, int]
"""A task id and the number of an attempt."""


class DeadRun:
    """One reading of all segments of a run.

    Only what is unfinished is kept, so that the journal of a server which ended a million tasks fits into memory.

    Attributes:
        open: Start records of the spans that have no end, by trace id and span id; the reserved roots are not among
            them, since they follow their attempt.
        parts: Attempts that it has joined and not left.
        owned: Attempts that it should end and has not, as far as its journal says.
        claims: Ends that it has claimed and whose root it has not written.
        rooted: Attempts whose root it has written without saying that it claimed their end.
        operations: What it has said of the tasks that are unfinished, in order.
        reservation: The statement by which `run` reserved a task that nobody has taken over yet, or None.
        resource: Its resource.
        last_ns: Time of its last record, by its own clock.
        borders: Per segment where the last intact record ends.
    """

    def __init__(self, run_id: str, segments: Sequence[Path]) -> None:
        self.run_id = run_id
        self.open: dict[bytes, bytes] = {}
        self.parts: set[Part] = set()
        self.owned: set[Part] = set()
        self.claims: dict[Part, Operation] = {}
        self.rooted: set[Part] = set()
        self.reservation: dict[str, Any] | None = None
        self.resource: dict[str, Any] = {semconv.SERVICE_INSTANCE_ID: run_id}
        self.last_ns = 0
        self.borders: list[int] = []
        self._roots: dict[bytes, Part] = {}  # by their span ids those that are to be written
        self._begun: dict[bytes, Part] = {}
        self._unsampled: set[Part] = set()
        self._said: dict[str, list[Operation]] = {}
        for segment in segments:
            self._read(segment)

    @property
    def operations(self) -> list[Operation]:
        """What the run has said of the tasks that are unfinished."""
        tasks = {task_id for task_id, _ in (*self.parts, *self.owned, *self.claims)}
        return [op for task_id in sorted(tasks) for op in self._said.get(task_id, ())]

    @property
    def begun(self) -> set[Part]:
        """Attempts whose root's start is here and whose root is not.

        The tables may know whose they are, where a full disk took from this journal what followed the start.
        """
        return set(self._begun.values())

    def _read(self, segment: Path) -> None:
        offset = 0
        while True:
            chunk = reader.read_file(segment, offset, limit=_CHUNK)
            for record in chunk.records:
                self._take(record)
            if chunk.next_offset == offset:
                break
            offset = chunk.next_offset
        self.borders.append(offset)

    def _take(self, record: reader.Record) -> None:
        if record.field == STATEMENT:
            self._take_statement(decode.statement(record.body))
            return
        with contextlib.suppress(DecodeError):  # intact as it is, its writer was at fault: readers count it
            self._take_message(record)

    def _take_message(self, record: reader.Record) -> None:
        if record.field == LOG_RECORD:
            for scope in ResourceLogs.FromString(record.body).scope_logs:
                self._saw(*(log.time_unix_nano for log in scope.log_records))
        else:
            for span in spans_of(ResourceSpans.FromString(record.body)):
                self._saw(span.start_time_unix_nano, span.end_time_unix_nano)
                key = span.trace_id + span.span_id
                if record.field in ENDED_SPANS:
                    self.open.pop(key, None)
                    self._begun.pop(span.span_id, None)
                    if part := self._roots.pop(span.span_id, None):
                        self._wrote_root(part)
                elif record.field == STARTED_SPAN:
                    if part := _reserved_part(span):
                        self._begun[span.span_id] = part
                    else:
                        self.open[key] = record.body

    def _wrote_root(self, part: Part) -> None:
        if self.claims.pop(part, None) is None:
            self.rooted.add(part)
        else:
            self._forget(part)

    def _saw(self, *times: Any) -> None:
        self.last_ns = max(self.last_ns, *map(count_of, times))

    def _take_statement(self, said: dict[str, Any]) -> None:
        self._saw(said.get("at", 0))
        op, part = said.get("op"), (said.get("task_id", ""), said.get("attempt") or 0)
        if op == "run":
            resource = said.get("resource")
            self.resource = resource if resource and isinstance(resource, dict) else self.resource
        elif op == "reserved":
            self.reservation = said if _is_reservation(said) else None
        elif op == "settled":
            self.reservation = None
        elif part[0] and is_well_formed(said):  # `owes` is none, nor is what a newer version says
            self.say(said, part)

    def say(self, operation: Operation, part: Part) -> None:
        """Take in an operation of this run on a task."""
        op = operation["op"]
        self._said.setdefault(part[0], []).append(operation)
        if op == "join":
            self.parts.add(part)
        elif op == "attempt":
            if operation.get("owner_run") == self.run_id:
                self.owned.add(part)
                self._roots[bytes.fromhex(operation["root_span_id"])] = part
            if not operation.get("sampled", True):
                self._unsampled.add(part)
        elif op == "end":
            self.owned.discard(part)
            root_id = operation.get("root_span_id")
            if root_id and part not in self._unsampled and part not in self.rooted:
                self.claims[part] = operation
                self._roots[bytes.fromhex(root_id)] = part
        elif op == "leave":
            self.parts.discard(part)
            if part not in self.claims and part not in self.owned:
                self._forget(part)

    def _forget(self, part: Part) -> None:
        """Drop what was said of a task that is finished as far as this run goes: the indexer tells it."""
        self._said.pop(part[0], None)
        self._unsampled.discard(part)

    def abandoned(self) -> Iterator[bytes]:
        """Yield the open spans, ended under their own ids at the time of the last record."""
        for body in self.open.values():
            message = ResourceSpans.FromString(body)
            for span in spans_of(message):
                span.end_time_unix_nano = max(self.last_ns, span.start_time_unix_nano)
                span.status.code = Status.STATUS_CODE_ERROR
                span.status.message = "the process ended without ending this span"
                span.attributes.add(key=semconv.ERROR_TYPE).value.string_value = ABANDONED
            yield message.SerializeToString()


def spans_of(message: ResourceSpans) -> Iterator[Span]:
    """Yield the spans of a message."""
    for scope in message.scope_spans:
        yield from scope.spans


def _reserved_part(span: Span) -> Part | None:
    """Return the attempt whose root `span` reserves, or None for any other span."""
    found = {pair.key: pair.value for pair in span.attributes}
    if semconv.AGENTOS_RESERVED not in found:
        return None
    task, attempt = found.get(semconv.TASK_ID), found.get(semconv.AGENTOS_TASK_ATTEMPT)
    return (task.string_value if task else "", attempt.int_value if attempt else 1)


def _is_reservation(said: dict[str, Any]) -> bool:
    operations = said.get("operations")
    return (
        isinstance(said.get("file"), str)
        and isinstance(operations, list)
        and all(isinstance(each, dict) and each.get("task_id") and is_well_formed(each) for each in operations)
    )


def cut_torn_tail(descriptor: int, border: int) -> int:
    """Cut what a kill in the middle of `write()` has left after `border`; returns how many bytes.

    Only the beginning of a record that was not finished is cut. Anything else is damage: it stays, and readers count
    it.
    """
    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, 11, border)
    if not head or head[:1] not in TAGS.values():
        return 0
    length, shift = 0, 0
    for position, byte in enumerate(head[1:], 2):
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if border + position + length + CHECK_SIZE <= size:
                return 0
            break
    os.ftruncate(descriptor, border)
    return size - border
