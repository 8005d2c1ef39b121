"""Reads what journals have grown by into the index: one `Batch` is what one transaction adds."""

from __future__ import annotations

import sqlite3
import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from agentos_otel import semconv
from agentos_otel.errors import StorageError
from agentos_otel.journal import reader
from agentos_otel.journal.record import ENDED_SPANS, LOG_RECORD, STATEMENT
from agentos_otel.journal.scanning import Ids, Scanner, start_of
from agentos_otel.store import decode
from agentos_otel.store.segments import DAY_FILES, LIVE_FILES, count_of, header_of, run_of, text_of
from agentos_otel.tasks.operations import APPLY

PLACE: Final = struct.Struct("<QIB")
"""Offset in the segment, size with its check, field."""
SPAN_PLACE: Final = struct.Struct(">8sI")
"""Span id, slice; big-endian, so that sorted bytes are sorted ids."""
PIECE: Final = 8 << 20
"""Bytes read at once: what a batch holds in memory is a few times as much."""
_FULL: Final = 4 * PIECE
# Attributes as they stand on the wire. A record in which the bytes occur is decoded to see what it says.
_AGENT: Final = b"\x12\x07\n\x05agent"
_ENDS: Final = b'"op":"run_end"'
_TOLD: Final = b'{"op":"told",'
_LOST: Final = b'"op":"lost"'
_CUT: Final = semconv.AGENTOS_CUT.encode()
_LATE: Final = semconv.AGENTOS_LATE.encode()

_Slices: TypeAlias = dict[bytes, tuple[bytes, list[bytes]]]
"""By trace id: the slice's number, packed, and its places."""


@dataclass(slots=True)
class _Segment:
    """A segment and its row."""

    segment_id: int
    base: int
    length: int
    ended: int
    damaged: int
    dropped: int
    cut: int
    late: int


class Batch:
    """Collects the growth of files until it is written; the connection must be in a writing transaction.

    Args:
        connection: The index.
        journal_dir: The folder of the journals.
        identity: What tells the task store from another one: what a run says it told this store is not told again.
            None where there is no store.
    """

    def __init__(self, connection: sqlite3.Connection, journal_dir: Path, identity: int | None) -> None:
        self._connection = connection
        self._journal_dir = journal_dir
        self._identity = identity
        self._next_slice: int = connection.execute("SELECT COALESCE(MAX(slice_id), 0) + 1 FROM slices").fetchone()[0]
        self._slices: list[tuple[bytes, int, int, bytes]] = []
        self._span_ids: set[bytes] = set()
        self._pending: dict[int, list[tuple[int, int, int, int, int]]] = defaultdict(list)
        self._lost: dict[tuple[bytes, str], int] = defaultdict(int)
        self._bytes = 0
        self._scanner = Scanner()
        self.records = 0

    @property
    def is_full(self) -> bool:
        """Whether it should be written before more is read."""
        return self._bytes >= _FULL

    def read(self, path: str) -> bool:
        """Take in the next piece of a file; whether there may be more.

        Args:
            path: Relative to the journal directory. A file that is gone was moved or pruned since it was seen.
        """
        execute = self._connection.execute
        in_day_file = path.startswith(DAY_FILES)
        row = execute("SELECT file_id, offset FROM files WHERE path = ?", (path,)).fetchone()
        if row is None:
            name = path.removeprefix(LIVE_FILES)
            if not in_day_file and execute("SELECT 1 FROM segments WHERE name = ?", (name,)).fetchone():
                return False  # it lies in a day file: who moved it was stopped before removing this one
            row = (execute("INSERT INTO files (path) VALUES (?)", (path,)).lastrowid or 0, 0)
            if not in_day_file:
                self._place_segment(name, row[0], 0)
        file_id: int = row[0]
        offset: int = row[1]
        try:
            chunk = reader.read_file(self._journal_dir / path, offset, final=in_day_file, limit=PIECE)
        except FileNotFoundError:
            return False
        except (OSError, StorageError) as error:
            said = f"{path}: {error.strerror}" if isinstance(error, OSError) else str(error)
            execute("UPDATE files SET refused = ? WHERE file_id = ?", (said, file_id))
            return False
        end = self._take(chunk, path, file_id, offset, in_day_file=in_day_file)
        execute("UPDATE files SET offset = ?, refused = NULL WHERE file_id = ?", (end, file_id))
        self._bytes += end - offset
        return end - offset > PIECE // 2  # less is read of a piece only where the file ends

    def _place_segment(self, name: str, file_id: int, base: int) -> None:
        """Say where a segment lies; one that lay elsewhere has been moved."""
        self._connection.execute(
            "INSERT INTO segments (name, run_id, file_id, base) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET file_id = excluded.file_id, base = excluded.base",
            (name, run_of(name), file_id, base),
        )

    def _last_segment(self, file_id: int) -> _Segment | None:
        row = self._connection.execute(
            "SELECT segment_id, base, length, ended, damaged, dropped, cut, late FROM segments "
            "WHERE file_id = ? ORDER BY base DESC LIMIT 1",
            (file_id,),
        ).fetchone()
        return _Segment(*row) if row else None

    def _take(self, chunk: reader.Chunk, path: str, file_id: int, offset: int, *, in_day_file: bool) -> int:
        """Take in what was read of a file, segment by segment; returns how far that is."""
        headers = enumerate(map(header_of, chunk.records)) if in_day_file else ()
        start, begin = 0, offset
        for number, header in [*((n, h) for n, h in headers if h is not None), (len(chunk.records), None)]:
            end = chunk.next_offset if header is None else header.record.offset
            if end > begin:
                segment = self._last_segment(file_id)
                if segment is None:  # its header is damaged: what it holds is kept under a name of its own
                    self._place_segment(f"{path}@{begin}", file_id, begin)
                    segment = self._last_segment(file_id)
                assert segment is not None  # noqa: S101 - placed above
                new = max(begin, segment.base + segment.length)  # of a segment that was moved some is known
                gaps = sum(1 for at, _ in chunk.gaps if new <= at < end)
                self._add(segment, chunk.records[start:number], end, gaps)
            if header is None:
                break
            begin = header.record.offset + header.record.size
            if begin + header.size > (self._journal_dir / path).stat().st_size:
                return header.record.offset  # half a copy: its file still lives, and who moves it next cuts this off
            self._connection.execute("DELETE FROM files WHERE path = ?", (LIVE_FILES + header.name,))
            self._place_segment(header.name, file_id, begin)
            start = number + 1
        return chunk.next_offset

    def _add(self, segment: _Segment, records: list[reader.Record], end: int, gaps: int) -> None:
        """Take in the records of one segment, up to the offset `end` of its file."""
        slices: _Slices = {}
        first_slice = self._next_slice
        pack = PLACE.pack
        told = self._told(segment, records)
        for record in records:
            number, offset, size, body = record
            offset -= segment.base
            if offset < segment.length:
                continue  # read before the segment was moved here
            if number == STATEMENT:
                if offset >= told or _LOST in body:
                    self._state(segment, offset, size, body)
                continue
            try:
                found = self._scanner.ids_of(number, body)
                began = start_of(body) if number in ENDED_SPANS and _AGENT in body else None
                self._place_record(slices, found, pack(offset, size, number), spans=number != LOG_RECORD)
            except ValueError:
                segment.damaged += 1
                continue
            if number in ENDED_SPANS:
                if began is not None:
                    row = (count_of(began), segment.segment_id, offset, size, number)
                    self._pending[segment.segment_id].append(row)
                if _CUT in body or _LATE in body:
                    self._note(segment, body)
        for slice_id, (trace_id, (_, places)) in enumerate(slices.items(), first_slice):
            self._slices.append((trace_id, slice_id, segment.segment_id, b"".join(places)))
        if records:
            segment.ended = int(records[-1].field == STATEMENT and _ENDS in records[-1].body)
        self.records += len(records)
        self._connection.execute(
            "UPDATE segments SET length = max(length, ?), ended = ?, damaged = ?, dropped = ?, cut = ?, late = ? "
            "WHERE segment_id = ?",
            (end - segment.base, segment.ended, segment.damaged + gaps, segment.dropped, segment.cut, segment.late,
             segment.segment_id),
        )  # fmt: skip

    def _place_record(self, slices: _Slices, found: list[Ids], place: bytes, *, spans: bool) -> None:
        """Put a record into the slices of the traces that it names.

        Raises:
            ValueError: It names none, or an id of the wrong length.
        """
        if not found:
            raise ValueError("no id")
        for trace_id, span_id in found:
            if len(trace_id) != 16:
                raise ValueError("no trace id")
            entry = slices.get(trace_id)
            if entry is None:
                entry = slices[trace_id] = (self._next_slice.to_bytes(4, "big"), [])
                self._next_slice += 1
            if not entry[1] or entry[1][-1] != place:
                entry[1].append(place)
            if spans and len(span_id) == 8:
                self._span_ids.add(span_id + entry[0])

    def _state(self, segment: _Segment, offset: int, size: int, body: bytes) -> None:
        """Take in a statement: what the task store must be told, and what the run says that it lost."""
        said = decode.statement(body)
        operation = said.get("op")
        if operation == "run_end":
            segment.dropped = max(segment.dropped, count_of(said.get("dropped")))
        if operation in APPLY:
            row = (count_of(said.get("at")), segment.segment_id, offset, size, STATEMENT)
            self._pending[segment.segment_id].append(row)
        elif operation == "lost" and isinstance(said.get("traces"), dict):
            kind = text_of(said.get("kind"))
            for trace_id, records in said["traces"].items():
                self._lost[_trace(trace_id), kind] += count_of(records)

    def _told(self, segment: _Segment, records: list[reader.Record]) -> int:
        """Return up to which offset the run says that it told this task store everything; what waits is dropped."""
        for record in reversed(records) if self._identity is not None else ():
            if record.field == STATEMENT and record.body.startswith(_TOLD):
                if decode.statement(record.body).get("store") != self._identity:
                    break
                where = (segment.segment_id, STATEMENT)
                self._pending[segment.segment_id] = [
                    row for row in self._pending[segment.segment_id] if row[-1] != STATEMENT
                ]
                self._connection.execute("DELETE FROM pending WHERE segment_id = ? AND field = ?", where)
                return record.offset - segment.base
        return 0

    @staticmethod
    def _note(segment: _Segment, body: bytes) -> None:
        """Count what an ended span says of itself: that it was cut, or came late."""
        try:
            found = decode.spans(body)
        except ValueError:
            segment.damaged += 1
            return
        for span in found:
            segment.cut += count_of(span["attributes"].get(semconv.AGENTOS_CUT))
            segment.late += bool(span["attributes"].get(semconv.AGENTOS_LATE))

    def write(self) -> None:
        """Write all that was taken in."""
        many = self._connection.executemany
        self._slices.sort()  # neighbours in the index of trace ids: fewer of its pages are touched
        many("INSERT INTO slices (trace_id, slice_id, segment_id, places) VALUES (?, ?, ?, ?)", self._slices)
        many("INSERT INTO span_ids (bucket, last_slice, ids) VALUES (?, ?, ?)", self._buckets())
        many(
            "INSERT INTO pending (at, segment_id, offset, size, field) VALUES (?, ?, ?, ?, ?)",
            (row for rows in self._pending.values() for row in rows),
        )
        many(
            "INSERT INTO lost (trace_id, kind, records) VALUES (?, ?, ?) "
            "ON CONFLICT (trace_id, kind) DO UPDATE SET records = records + excluded.records",
            ((trace_id, kind, records) for (trace_id, kind), records in self._lost.items()),
        )

    def _buckets(self) -> Iterator[tuple[int, int, bytes]]:
        by_first: dict[int, list[bytes]] = defaultdict(list)
        for pair in sorted(self._span_ids):
            by_first[pair[0]].append(pair)
        for bucket, pairs in by_first.items():
            yield bucket, self._next_slice - 1, b"".join(pairs)


def _trace(text: str) -> bytes:
    """Return a trace id, or an empty one for what is none."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
