"""The index: which records of which file belong to a trace; brought up to date by whoever reads."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from agentos_otel.errors import StorageError
from agentos_otel.journal import reader
from agentos_otel.journal.writer import SUFFIX
from agentos_otel.store.ingest import PLACE, SPAN_PLACE, Batch
from agentos_otel.store.projection import project
from agentos_otel.tasks.sqlite import refuse_network

if TYPE_CHECKING:
    from agentos_otel.tasks.store import TaskStore

VERSION: Final = 2
_CACHE_KIB: Final = 65_536
"""Of the index's pages: with SQLite's own 2 MB every new trace of 10^7 spans is a page read from disk."""


class Places(NamedTuple):
    """Where records of a trace lie in one file: `base` of their segment, and each (offset from it, size, field)."""

    segment_id: int
    path: Path
    base: int
    records: list[tuple[int, int, int]]


class Index:
    """An index over all journals of a state directory.

    Args:
        path: The index's own SQLite file.
        journal_dir: The folder of the journals.
        store: Task store that is brought up to date with what SQL has missed; None leaves it alone.

    Raises:
        StorageError: The index cannot be opened, is newer than this library, or lies on a network file system.
    """

    def __init__(self, path: Path, journal_dir: Path, store: TaskStore | None) -> None:
        self.journal_dir = journal_dir
        self._path = path
        self._store = store
        self.size = 0
        """Bytes of all journals when they were listed last."""
        with self._explained():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_network(path.parent, f"the index {path}", "set AGENTOS_OTEL_STATE_DIR to a local directory")
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self.connection = sqlite3.connect(path, timeout=30, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self.connection.close()
                raise

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            advice = "another reader is at it: try again" if is_busy else "delete it, it is rebuilt from the journals"
            raise StorageError(f"the index {self._path} cannot be used ({error}): {advice}") from error

    def _prepare(self) -> None:
        version = self.connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise StorageError(
                f"the index {self._path} was written by a newer agentos-otel: upgrade this one, or delete it"
            )
        self.connection.execute("PRAGMA synchronous = OFF")  # it can be rebuilt
        self.connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if version < VERSION:
            self.connection.execute("PRAGMA journal_mode = WAL")
            with self.writing():
                if self.connection.execute("PRAGMA user_version").fetchone()[0] < VERSION:
                    self._make_anew()

    def _make_anew(self) -> None:
        """Make the tables, empty; what is there is of an older version, or knows what another store was told."""
        named = self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in named:
            if not table.startswith("sqlite_"):
                self.connection.execute(f"DROP TABLE {table}")
        lines = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8").splitlines()
        for statement in "\n".join(line for line in lines if not line.startswith("--")).split(";"):
            self.connection.execute(statement)
        self.connection.execute(f"PRAGMA user_version = {VERSION}")

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the index's write lock for a block: kept when it ends, undone when it raises.

        Raises:
            StorageError: Another process does not give it back, or the file is damaged.
        """
        with self._explained():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def close(self) -> None:
        """Close the index's file."""
        self.connection.close()

    # --- catching up ---

    def listing(self) -> Iterator[tuple[str, int]]:
        """Yield (path relative to the journal directory, size) of all journal files: day files, then live ones.

        Newborn files (their names begin with a dot) are left out, and so is whatever is no plain file.
        """
        live = self.journal_dir / "live"
        for folder in (self.journal_dir / "done", *(live.iterdir() if live.is_dir() else ())):
            prefix = f"{folder.relative_to(self.journal_dir)}/"
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name
                    if name.endswith(SUFFIX) and not name.startswith("."):
                        try:
                            status = entry.stat(follow_symlinks=False)
                        except OSError:
                            continue
                        if stat.S_ISREG(status.st_mode):
                            yield prefix + name, status.st_size

    def catch_up(self) -> int:
        """Read what the journals have grown by, and tell the task store; returns the number of new records.

        Two processes may do so at once: the write lock is taken before the offsets are read, and given back after
        each batch.

        Raises:
            StorageError: Another process does not give the write lock back, or the index is damaged.
        """
        with self._explained():
            return self._catch_up(self.know_store(), trusting=True)

    def rebuild(self) -> int:
        """Build the index anew, and tell the task store everything, whatever runs say that they told it.

        For a store that was set back, from a backup say: it cannot be told from the one that runs have told.
        """
        with self._explained():
            identity = self.know_store()
            with self.writing():
                self._make_anew()
                if identity is not None:
                    self.connection.execute("INSERT INTO facts (name, value) VALUES ('store', ?)", (identity,))
            return self._catch_up(identity, trusting=False)

    def _catch_up(self, identity: int | None, *, trusting: bool) -> int:
        until_ns = time.time_ns()
        (told,) = self.connection.execute("SELECT COALESCE(MAX(pending_id), 0) FROM pending").fetchone()
        known = dict(self.connection.execute("SELECT path, offset FROM files"))
        listed = list(self.listing())
        self.size = sum(size for _, size in listed)
        grown = [path for path, size in listed if size > known.get(path, 0)]
        records = self.read(grown, identity if trusting else None)
        if self._store is not None and identity is not None:
            project(self.connection, self._store, self.fetch, until_ns, told)
        return records

    def read(self, grown: Iterable[str], identity: int | None) -> int:
        """Take in the growth of files, batch by batch; returns the number of records."""
        records, rest = 0, iter(grown)
        path = next(rest, None)
        while path is not None:
            with self.writing():
                batch = Batch(self.connection, self.journal_dir, identity)
                while path is not None and not batch.is_full:
                    if not batch.read(path):
                        path = next(rest, None)
                batch.write()
            records += batch.records
        return records

    def know_store(self) -> int | None:
        """Return what tells the task store from another one; None where there is none, or none that answers.

        A store that this index has not told everything (the old one was deleted, or another is named) gets
        everything: the index is built anew.
        """
        identity = None
        with contextlib.suppress(StorageError):
            identity = self._store.identity() if self._store is not None else None
        if identity is None:
            return None
        known = self.connection.execute("SELECT value FROM facts WHERE name = 'store'").fetchone()
        if known is None or known[0] != identity:
            with self.writing():
                if known is not None:
                    self._make_anew()
                self.connection.execute("REPLACE INTO facts (name, value) VALUES ('store', ?)", (identity,))
        return identity

    def fetch(self, segment_id: int, places: list[tuple[int, int]]) -> list[reader.Record]:
        """Return those records of a segment that stand at `places` (offset, size)."""
        return self._read(Places(segment_id, *self._where(segment_id), [(*place, 0) for place in places]))

    # --- reading ---

    def places(self, trace_id: str) -> list[Places]:
        """Return where the records of a trace lie, one entry per segment."""
        rows = self.connection.execute(
            "SELECT segment_id, f.path, g.base, s.places FROM slices s JOIN segments g USING (segment_id) "
            "JOIN files f USING (file_id) WHERE s.trace_id = ? ORDER BY s.slice_id",
            (bytes.fromhex(trace_id),),
        )
        found: dict[int, Places] = {}
        for segment_id, path, base, packed in rows:
            if segment_id not in found:
                found[segment_id] = Places(segment_id, self.journal_dir / path, base, [])
            found[segment_id].records.extend(PLACE.iter_unpack(packed))
        return list(found.values())

    def trace_records(self, trace_id: str) -> Iterator[reader.Record]:
        """Yield the intact records of a trace."""
        for places in self.places(trace_id):
            yield from self._read(places)

    def _read(self, places: Places) -> list[reader.Record]:
        """Return records by place, also where their segment is moved at this moment."""
        for _ in range(3):
            with contextlib.suppress(OSError):
                return reader.read_records(places.path, [record[:2] for record in places.records], places.base)
            path, base = self._where(places.segment_id)
            if path == places.path:
                break
            places = places._replace(path=path, base=base)
        return []

    def _where(self, segment_id: int) -> tuple[Path, int]:
        row = self.connection.execute(
            "SELECT path, base FROM segments JOIN files USING (file_id) WHERE segment_id = ?", (segment_id,)
        ).fetchone()
        return (self.journal_dir / row[0], row[1]) if row else (self.journal_dir, 0)

    def find_span(self, prefix: str) -> list[tuple[str, str]]:
        """Return (trace id, span id) of the spans whose id begins with `prefix` (hex digits, two at least)."""
        try:
            needle = bytes.fromhex(prefix[: len(prefix) // 2 * 2])
        except ValueError:
            return []
        if not needle or len(needle) > 8:
            return []
        found: dict[int, set[str]] = defaultdict(set)
        for (pairs,) in self.connection.execute("SELECT ids FROM span_ids WHERE bucket = ?", needle[:1]):
            at = pairs.find(needle)
            while at >= 0:
                start, odd = divmod(at, SPAN_PLACE.size)
                if not odd:
                    span_id, slice_id = SPAN_PLACE.unpack_from(pairs, start * SPAN_PLACE.size)
                    if span_id.hex().startswith(prefix):
                        found[slice_id].add(span_id.hex())
                at = pairs.find(needle, at + 1)
        traces = set()
        for slice_id, span_ids in found.items():
            for (trace_id,) in self.connection.execute("SELECT trace_id FROM slices WHERE slice_id = ?", (slice_id,)):
                traces |= {(trace_id.hex(), span_id) for span_id in span_ids}
        return sorted(traces)

    # --- losses ---

    def losses(self, run_ids: Iterable[str], trace_ids: Iterable[str]) -> dict[str, int]:
        """Return what a task has lost: records dropped, and damaged regions in its runs' files."""
        total = {"dropped": 0, "damaged": 0}
        for run_id in set(run_ids):
            for dropped, damaged in self.connection.execute(
                "SELECT dropped, damaged FROM segments WHERE run_id = ?", (run_id,)
            ):
                total["dropped"] += dropped
                total["damaged"] += damaged
        for trace_id in set(trace_ids):
            for kind, records in self.connection.execute(
                "SELECT kind, records FROM lost WHERE trace_id = ?", (bytes.fromhex(trace_id),)
            ):
                total[kind] = total.get(kind, 0) + records
        return total

    def all_losses(self) -> dict[str, int]:
        """Return what all runs together have lost."""
        row = self.connection.execute(
            "SELECT COALESCE(SUM(dropped), 0), COALESCE(SUM(cut), 0), COALESCE(SUM(damaged), 0), "
            "COALESCE(SUM(late), 0) FROM segments"
        ).fetchone()
        total: dict[str, int] = dict(zip(("dropped", "cut", "damaged", "late"), row, strict=True))
        for kind, records in self.connection.execute("SELECT kind, SUM(records) FROM lost GROUP BY kind"):
            total[kind] = total.get(kind, 0) + records
        return total

    def refused(self) -> list[str]:
        """Return what files could not be read, and why."""
        return [row[0] for row in self.connection.execute("SELECT refused FROM files WHERE refused IS NOT NULL")]

    def file_ids(self, trace_ids: Iterable[str]) -> set[int]:
        """Return the files in which records of these traces lie."""
        found: set[int] = set()
        for trace_id in trace_ids:
            found |= {
                row[0]
                for row in self.connection.execute(
                    "SELECT file_id FROM slices JOIN segments USING (segment_id) WHERE trace_id = ?",
                    (bytes.fromhex(trace_id),),
                )
            }
        return found

    def forget(self, trace_id: str) -> None:
        """Drop the slices of a trace whose records were erased."""
        self.connection.execute("DELETE FROM slices WHERE trace_id = ?", (bytes.fromhex(trace_id),))
