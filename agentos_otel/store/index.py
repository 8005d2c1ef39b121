"""The index: which records of which file belong to a trace; brought up to date by whoever reads."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentos_otel import guard
from agentos_otel.errors import StorageError
from agentos_otel.journal import reader
from agentos_otel.journal.record import ENDED_SPANS, LOG_RECORD, STATEMENT
from agentos_otel.store import decode

if TYPE_CHECKING:
    from agentos_otel.tasks.store import TaskStore

VERSION: Final = 1
_PLACE: Final = struct.Struct("<QIB")


class Index:
    """An index over all journals of a state directory.

    Args:
        path: The index's own SQLite file.
        journal_dir: The folder of the journals.
        store: Task store that is brought up to date with what SQL has missed; None leaves it alone.

    Raises:
        StorageError: The index cannot be opened, or is newer than this library.
    """

    def __init__(self, path: Path, journal_dir: Path, store: TaskStore | None) -> None:
        self._journal_dir = journal_dir
        self._store = store
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, timeout=10, isolation_level=None)
            self._prepare(path)
        except (OSError, sqlite3.Error) as error:
            raise StorageError(
                f"the index {path} cannot be opened ({error}): delete it, it is rebuilt from the journals"
            ) from error

    def _prepare(self, path: Path) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise StorageError(f"the index {path} was written by a newer agentos-otel: upgrade this one, or delete it")
        self._connection.execute("PRAGMA synchronous = OFF")  # it can be rebuilt
        if version < VERSION:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("BEGIN IMMEDIATE")
            if self._connection.execute("PRAGMA user_version").fetchone()[0] < VERSION:
                lines = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8").splitlines()
                for statement in "\n".join(line for line in lines if not line.startswith("--")).split(";"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {VERSION}")
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the index's file."""
        self._connection.close()

    # --- catching up ---

    def files(self) -> Iterator[Path]:
        """Yield the paths of all journal files, newborn ones left out."""
        for host in sorted(self._journal_dir.glob("*/*")):
            with contextlib.suppress(OSError), os.scandir(host) as entries:
                yield from (Path(e.path) for e in entries if e.name.endswith(".otlp") and not e.name.startswith("."))

    def catch_up(self) -> int:
        """Read what the journals have grown by; returns the number of new records.

        Two processes may do so at once: the write lock is taken before the offsets are read.
        """
        known = {row[0]: row[1:] for row in self._connection.execute("SELECT path, offset, ended FROM files")}
        grown = [path for path in self.files() if self._has_grown(path, known.get(str(path)))]
        if not grown:
            return 0
        records, operations = 0, []
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for path in grown:
                count, said = self._read(path)
                records += count
                operations += said
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._project(operations)
        return records

    @staticmethod
    def _has_grown(path: Path, known: tuple[int, int] | None) -> bool:
        try:
            return known is None or path.stat().st_size > known[0]
        except OSError:
            return False

    def _read(self, path: Path) -> tuple[int, list[dict[str, Any]]]:
        run_id = path.name.split(".", 1)[0]
        self._connection.execute(
            "INSERT INTO files (path, run_id, host) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (str(path), run_id, path.parent.name),
        )
        file_id, offset = self._connection.execute(
            "SELECT file_id, offset FROM files WHERE path = ?", (str(path),)
        ).fetchone()
        try:
            chunk = reader.read_file(path, offset)
        except OSError as error:
            raise StorageError(f"the journal {path} cannot be read: {error.strerror}") from error
        operations, ended, dropped = self._add(file_id, chunk.records)
        self._connection.execute(
            "UPDATE files SET offset = ?, damaged = damaged + ?, damaged_bytes = damaged_bytes + ?, "
            "ended = ?, dropped = max(dropped, ?) WHERE file_id = ?",
            (chunk.next_offset, chunk.damaged, chunk.damaged_bytes, ended, dropped, file_id),
        )
        return len(chunk.records), operations

    def _add(self, file_id: int, records: Iterable[reader.Record]) -> tuple[list[dict[str, Any]], int, int]:
        places: dict[bytes, list[bytes]] = defaultdict(list)
        span_ids: dict[bytes, list[bytes]] = defaultdict(list)
        operations: list[dict[str, Any]] = []
        ended = dropped = 0
        for record in records:
            if record.field == STATEMENT:
                said = decode.statement(record.body)
                operations.append(said)
                ended = int(said.get("op") == "run_end")
                dropped = max(dropped, int(said.get("dropped") or 0))
                continue
            place = _PLACE.pack(record.offset, record.size, record.field)
            if record.field == LOG_RECORD:
                for log in decode.logs(record.body):
                    places[bytes.fromhex(log["trace_id"])].append(place)
                continue
            for span in decode.spans(record.body):
                trace_id = bytes.fromhex(span["trace_id"])
                places[trace_id].append(place)
                span_ids[trace_id].append(bytes.fromhex(span["span_id"]))
                if span["kind"] == "agent" and record.field in ENDED_SPANS:
                    operations.append(_agent(span))
        self._connection.executemany(
            "INSERT INTO slices (trace_id, file_id, places, span_ids) VALUES (?, ?, ?, ?)",
            [(key, file_id, b"".join(value), b"".join(sorted(span_ids[key]))) for key, value in places.items()],
        )
        return operations, ended, dropped

    def _project(self, operations: list[dict[str, Any]]) -> None:
        """Bring the task store up to date with what its processes could not tell it in time."""
        from agentos_otel.tasks.operations import APPLY

        known = [operation for operation in operations if operation.get("op") in APPLY]
        if self._store is None or not known:
            return
        known.sort(key=lambda operation: operation.get("at") or operation.get("started_ns") or 0)
        try:
            self._store.apply(known, timeout=10)
        except StorageError as error:
            guard.warn_once("projection", "the task store is not up to date: %s", error)

    # --- reading ---

    def places(self, trace_id: str) -> Iterator[tuple[Path, list[tuple[int, int, int]]]]:
        """Yield per file the (offset, size, field) of the records of a trace."""
        rows = self._connection.execute(
            "SELECT f.path, s.places FROM slices s JOIN files f USING (file_id) WHERE s.trace_id = ? ORDER BY s.rowid",
            (bytes.fromhex(trace_id),),
        )
        merged: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for path, packed in rows:
            merged[path].extend(_PLACE.iter_unpack(packed))
        for path, found in merged.items():
            yield Path(path), found

    def trace_records(self, trace_id: str) -> Iterator[reader.Record]:
        """Yield the intact records of a trace."""
        for path, found in self.places(trace_id):
            with contextlib.suppress(FileNotFoundError):
                yield from reader.read_records(path, [(offset, size) for offset, size, _ in found])

    def find_span(self, prefix: str) -> list[tuple[str, str]]:
        """Return (trace id, span id) of the spans whose id begins with `prefix` (hex digits)."""
        try:
            needle = bytes.fromhex(prefix[: len(prefix) // 2 * 2])
        except ValueError:
            return []
        rows = self._connection.execute("SELECT trace_id, span_ids FROM slices WHERE instr(span_ids, ?) > 0", (needle,))
        found = set()
        for trace_id, blob in rows:
            for start in range(0, len(blob), 8):
                span_id = blob[start : start + 8].hex()
                if span_id.startswith(prefix):
                    found.add((trace_id.hex(), span_id))
        return sorted(found)

    def losses(self, run_ids: Iterable[str]) -> dict[str, int]:
        """Return what the files of `run_ids` have lost: records dropped, damaged regions."""
        total = {"dropped": 0, "damaged": 0}
        for run_id in set(run_ids):
            for dropped, damaged in self._connection.execute(
                "SELECT dropped, damaged FROM files WHERE run_id = ?", (run_id,)
            ):
                total["dropped"] += dropped
                total["damaged"] += damaged
        return total

    def forget(self, trace_id: str) -> None:
        """Drop the slices of a trace whose records were erased."""
        self._connection.execute("DELETE FROM slices WHERE trace_id = ?", (bytes.fromhex(trace_id),))


def _agent(span: dict[str, Any]) -> dict[str, Any]:
    from agentos_otel import semconv

    return {
        "op": "agent",
        "task_id": span["attributes"].get(semconv.TASK_ID, ""),
        "trace_id": span["trace_id"],
        "span_id": span["span_id"],
        "name": span["attributes"].get(semconv.GEN_AI_AGENT_NAME, span["name"]),
        "status": span["status"],
        "started_ns": span["start_ns"],
        "ended_ns": span["end_ns"],
    }
