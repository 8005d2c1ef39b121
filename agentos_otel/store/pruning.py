"""Caps on all journals together: says that they are full, and removes the oldest day files and what is known from them.

Only day files go: what lies in them has ended, is indexed and forwarded. A file with records of a task that is still
open stays.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentos_otel.journal import reader
from agentos_otel.journal.writer import FULL
from agentos_otel.store.segments import DAY_FILES

if TYPE_CHECKING:
    from agentos_otel.store.index import Index
    from agentos_otel.tasks.store import TaskStore

_ERASE: Final = ("erase_refs", "erase_agents", "erase_artifacts", "erase_commits", "erase_runs", "erase_attempts")


@dataclass
class Pruned:
    """What was removed, or would be.

    Attributes:
        files: Paths relative to the folder of the journals.
        bytes: Their size together.
        kept: Files that would have gone but hold records of open tasks.
        tasks: Number of tasks of which nothing is left, and whose rows went too.
        size: Bytes of all journals then.
    """

    files: list[str] = field(default_factory=list)
    bytes: int = 0
    kept: list[str] = field(default_factory=list)
    tasks: int = 0
    size: int = 0


def tell_full(index: Index, max_size: int | None) -> None:
    """Tell traced programs, by a file, whether the journals, as they were listed last, leave room for more."""
    full = index.journal_dir / FULL
    with contextlib.suppress(OSError):
        if max_size is not None and index.size >= max_size:
            full.touch(mode=0o600)
        else:
            full.unlink(missing_ok=True)


def prune(index: Index, store: TaskStore, before_ns: int | None, max_size: int | None, *, dry_run: bool) -> Pruned:
    """Remove day files that ended before a time, then the oldest until all journals are within a size.

    Args:
        index: The index; it must have caught up, and finished runs be merged.
        store: The task store: the rows of a task go with the last of its records.
        before_ns: Unix nanoseconds, or None.
        max_size: Bytes, or None.
        dry_run: Only say what would go.

    Raises:
        StorageError: The task store does not answer.
    """
    result = Pruned(size=sum(size for _, size in index.listing()))
    in_use = index.file_ids(row["trace_id"] for row in store.rows("open_traces"))
    hosts = {name.split("/")[0] for (name,) in index.connection.execute("SELECT name FROM segments")}
    numbers = dict(index.connection.execute("SELECT path, file_id FROM files"))
    for path, day, size in _day_files(index):
        is_old = before_ns is not None and (day + timedelta(days=1)).timestamp() * 1e9 <= before_ns
        if not is_old and (max_size is None or result.size <= max_size):
            continue
        file_id = numbers.get(path)
        if file_id is None or file_id in in_use:
            result.kept.append(path)
            continue
        if not dry_run:
            traces = _remove(index, path, file_id)
            if traces is None:
                result.kept.append(path)
                continue
            result.tasks += _erase_tasks(index, store, traces, hosts)
        result.files.append(path)
        result.bytes += size
        result.size -= size
    if not dry_run:
        index.size = result.size
    return result


def _day_files(index: Index) -> list[tuple[str, datetime, int]]:
    """Return (path, day, size) of all day files, oldest first."""
    found = []
    for path, size in index.listing():
        if path.startswith(DAY_FILES):
            name = Path(path).name.split(".")
            with contextlib.suppress(ValueError):
                day = datetime.combine(date.fromisoformat(name[0]), datetime.min.time(), UTC)
                found.append((day, int(name[1]) if name[1].isdigit() else 0, path, size))
    return [(path, day, size) for day, _, path, size in sorted(found)]


def _remove(index: Index, path: str, file_id: int) -> set[bytes] | None:
    """Remove a day file and what the index knows of it; returns its traces, None where a merger is at it."""
    with contextlib.ExitStack() as lock:
        try:
            file = lock.enter_context(reader.open_journal(index.journal_dir / path))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return None
        with index.writing() as connection:
            inside = "segment_id IN (SELECT segment_id FROM segments WHERE file_id = ?)"
            traces = {
                row[0] for row in connection.execute(f"SELECT DISTINCT trace_id FROM slices WHERE {inside}", (file_id,))
            }
            connection.execute(f"DELETE FROM slices WHERE {inside}", (file_id,))
            connection.execute(f"DELETE FROM pending WHERE {inside}", (file_id,))
            connection.execute("DELETE FROM segments WHERE file_id = ?", (file_id,))
            connection.execute("DELETE FROM files WHERE file_id = ?", (file_id,))
            # Slices are numbered as they are read, so what is pruned first is, but for a rebuilt index, numbered first.
            connection.execute(
                "DELETE FROM span_ids WHERE last_slice < (SELECT COALESCE(MIN(slice_id), 1 << 62) FROM slices)"
            )
            (index.journal_dir / path).unlink(missing_ok=True)
    return traces


def _erase_tasks(index: Index, store: TaskStore, traces: set[bytes], hosts: set[str]) -> int:
    """Erase the rows of ended tasks of which no record is left here, and none may lie on a host but `hosts`."""
    count = 0
    for task_id in _gone(index, store, traces):
        if not hosts.issuperset(run["host"] for run in store.rows("list_runs", task_id=task_id)):
            continue
        with store.database.transaction() as tx:
            for query in _ERASE:
                tx.run(query, task_id=task_id)
            tx.run("erase_task", task_id=task_id)
        count += 1
    return count


def _gone(index: Index, store: TaskStore, traces: set[bytes]) -> Iterator[str]:
    for trace_id in sorted(traces):
        for row in store.rows("task_of_trace", trace_id=trace_id.hex()):
            attempts = [attempt["trace_id"] for attempt in store.rows("list_attempts", task_id=row["task_id"])]
            if row["ended_ns"] is not None and not any(index.places(attempt) for attempt in attempts):
                yield row["task_id"]
