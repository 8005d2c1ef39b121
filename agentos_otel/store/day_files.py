"""Moves finished runs out of a file each into one file per day, which is pruned as one.

60,000 small files took 238 MB of disk for 44 MB of records. A run is copied as it is, damage included, behind a
statement that names it; the index keeps its offsets and learns where the segment lies now. A reader that is stopped
anywhere in between leaves a copy too many, never one too few: the original goes last, and half a copy is cut off by
who comes next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from agentos_otel import guard
from agentos_otel.journal import reader
from agentos_otel.journal.writer import SUFFIX
from agentos_otel.store.live import is_alive
from agentos_otel.store.segments import DAY_FILES, LIVE_FILES, header, header_of

if TYPE_CHECKING:
    from agentos_otel.store.index import Index

WORTH_IT: Final = 64
"""Finished files that may lie about before they are merged."""
_AT_ONCE: Final = 500
"""Runs in one transaction: some 50 ms in which no other reader can bring the index up to date."""
_BYTES_AT_ONCE: Final = 64 << 20
_ROLL_AT: Final = 256 << 20
"""Size at which a day gets a further file; what is pruned by size goes in such pieces."""
_DAY_S: Final = 86_400

_SEGMENTS: Final = (
    "SELECT g.run_id, g.segment_id, g.length, f.file_id, f.path FROM files f JOIN segments g USING (file_id) "
    "WHERE f.path >= 'live/' AND f.path < 'live0' "
    "AND EXISTS (SELECT 1 FROM segments e WHERE e.run_id = g.run_id AND e.ended) ORDER BY g.run_id, g.segment_id"
)


def merge(index: Index, is_forwarded: Callable[[Path], bool], at_least: int = WORTH_IT) -> int:
    """Move the runs that are done into day files, if they are `at_least` so many files; returns how many runs.

    Args:
        index: The index; it must have caught up.
        is_forwarded: Whether all of a live file has been sent where it is to go.
        at_least: Number of files.
    """
    runs: dict[str, list[_Segment]] = {}
    files = 0
    for run_id, *rest in index.connection.execute(_SEGMENTS):
        runs.setdefault(run_id, []).append(_Segment(index.journal_dir, *rest))
        files += 1
    if files < at_least:
        return 0
    moved = 0
    waiting = sorted((run for run in runs.values()), key=lambda run: run[0].written_ns)
    for some in _portions(waiting):
        moved += _merge_some(index, some, is_forwarded)
    _tidy(index)
    return moved


class _Segment:
    """A live file that may be moved."""

    def __init__(self, journal_dir: Path, segment_id: int, length: int, file_id: int, path: str) -> None:
        self.segment_id = segment_id
        self.length = length
        self.file_id = file_id
        self.path = journal_dir / path
        self.name = path.removeprefix(LIVE_FILES)
        self.size, self.written_ns = -1, 0
        with contextlib.suppress(OSError):
            status = self.path.stat(follow_symlinks=False)
            self.size, self.written_ns = status.st_size, status.st_mtime_ns

    @property
    def day(self) -> str:
        """The day on which it was last written (UTC)."""
        return datetime.fromtimestamp(self.written_ns / 1e9, UTC).strftime("%Y-%m-%d")


def _portions(runs: list[list[_Segment]]) -> Iterator[list[list[_Segment]]]:
    """Yield runs in portions, each of which holds the index's write lock for a moment only."""
    portion: list[list[_Segment]] = []
    size = 0
    for run in runs:
        portion.append(run)
        size += sum(segment.size for segment in run)
        if len(portion) >= _AT_ONCE or size >= _BYTES_AT_ONCE:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


class _DayFile:
    """A day's newest file, locked and open at its end."""

    def __init__(self, connection: sqlite3.Connection, file: BinaryIO, path: str) -> None:
        connection.execute("INSERT INTO files (path) VALUES (?) ON CONFLICT DO NOTHING", (path,))
        row = connection.execute("SELECT file_id, offset FROM files WHERE path = ?", (path,)).fetchone()
        self.file_id: int = row[0]
        self.known: int = row[1]
        self.file = file
        self.originals: list[Path] = []

    def append(self, segment: _Segment) -> int:
        """Copy a live file to the end; returns where the copy begins.

        Raises:
            OSError: It could not be copied whole; nothing of it is left here.
        """
        start = self.file.seek(0, os.SEEK_END)
        try:
            self.file.write(header(segment.name, segment.size, segment.written_ns))
            base = self.file.tell()
            with reader.open_journal(segment.path) as source:
                shutil.copyfileobj(source, self.file, 1 << 20)
            if self.file.tell() - base != segment.size:
                raise OSError(f"{segment.path} has changed")
            self.file.flush()
        except BaseException:
            with contextlib.suppress(OSError):
                self.file.truncate(start)
            raise
        return base


@contextlib.contextmanager
def _day_file(index: Index, day: str) -> Iterator[_DayFile | None]:
    """Open the newest file of a day under its lock; None where another process is at it."""
    folder = index.journal_dir / DAY_FILES
    folder.mkdir(mode=0o700, exist_ok=True)
    number = 0
    path = folder / f"{day}{SUFFIX}"
    while path.exists() and path.stat().st_size >= _ROLL_AT:
        number += 1
        path = folder / f"{day}.{number}{SUFFIX}"
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with reader.open_journal(path, write=True) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        opened = _DayFile(index.connection, file, DAY_FILES + path.name)
        size = os.fstat(file.fileno()).st_size
        if size > opened.known:
            if _begins_with_whole_copy(path, opened.known, size):
                yield None  # of a reader that was stopped: the index takes it in first
                return
            file.truncate(opened.known)
        yield opened if size >= opened.known else None


def _begins_with_whole_copy(path: Path, offset: int, size: int) -> bool:
    for record in reader.read_file(path, offset, limit=1 << 16).records:
        found = header_of(record)
        return found is not None and record.offset + record.size + found.size <= size
    return False


def _merge_some(index: Index, runs: list[list[_Segment]], is_forwarded: Callable[[Path], bool]) -> int:
    """Move some runs in one transaction of the index, then remove the originals, still under the days' locks."""
    moved = 0
    originals: list[Path] = []
    with contextlib.ExitStack() as locks:
        days: dict[str, _DayFile | None] = {}
        with index.writing() as connection:
            for run in runs:
                if not all(_may_move(connection, segment, is_forwarded) for segment in run):
                    continue
                day = run[0].day
                if day not in days:
                    days[day] = locks.enter_context(_day_file(index, day))
                target = days[day]
                if target is None:
                    continue
                try:
                    bases = [target.append(segment) for segment in run]
                except OSError as error:
                    guard.warn_once("merging", "finished journals stay where they are: %s", error)
                    break
                for segment, base in zip(run, bases, strict=True):
                    _note_move(connection, segment, target.file_id, base)
                    originals.append(segment.path)
                moved += 1
            for opened in days.values():
                if opened is not None:
                    # The originals are on disk: a power cut must not find them removed and the copies not written.
                    os.fsync(opened.file.fileno())
                    end = opened.file.seek(0, os.SEEK_END)
                    connection.execute("UPDATE files SET offset = ? WHERE file_id = ?", (end, opened.file_id))
        for path in originals:
            path.unlink(missing_ok=True)
    return moved


def _may_move(connection: sqlite3.Connection, segment: _Segment, is_forwarded: Callable[[Path], bool]) -> bool:
    """Whether nobody writes a live file any more, nobody is to read it, and nobody has moved it."""
    known = connection.execute("SELECT offset FROM files WHERE file_id = ?", (segment.file_id,)).fetchone()
    return (
        known == (segment.length,)
        and segment.size >= segment.length
        and not is_alive(segment.path)
        and is_forwarded(segment.path)
    )


def _note_move(connection: sqlite3.Connection, segment: _Segment, file_id: int, base: int) -> None:
    torn = int(segment.length < segment.size)  # a record that was never finished, and now never will be
    connection.execute(
        "UPDATE segments SET file_id = ?, base = ?, length = ?, damaged = damaged + ? WHERE segment_id = ?",
        (file_id, base, segment.size, torn, segment.segment_id),
    )
    connection.execute("DELETE FROM files WHERE file_id = ?", (segment.file_id,))


def _tidy(index: Index) -> None:
    """Remove originals that a stopped reader left, and the folders of hosts that are gone, as containers are."""
    known = {path for (path,) in index.connection.execute("SELECT path FROM files WHERE path < 'live0'")}
    for path, size in index.listing():
        if path.startswith(LIVE_FILES) and path not in known:
            row = index.connection.execute(
                "SELECT length FROM segments WHERE name = ?", (path.removeprefix(LIVE_FILES),)
            ).fetchone()
            if row is not None and row[0] == size:
                (index.journal_dir / path).unlink(missing_ok=True)
    for folder in (index.journal_dir / LIVE_FILES).iterdir():
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _DAY_S:
                folder.rmdir()
