"""The host's own table of tasks: its session and status are read, the trace id is written into it.

Always over a short connection of our own that waits for nobody: a database that somebody has locked costs the host
nothing, and what could not be written is tried again with the next id, and at the end of the process. Our own store
stays the truth: a migration of the host may rebuild its table without the column, and the first write of a process
then adds it again and fills it from our store.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentos_otel import guard
from agentos_otel.tracing import host_tasks

if TYPE_CHECKING:
    from agentos_otel.model import HostTasks

_MAX_WAITING: Final = 10_000

Known = Callable[[], Iterable[tuple[str, str]]]
"""Gives what our store knows as (host task id, trace id), newest first."""


class HostTables:
    """The tables of the hosts whose maps name one; the first whose module is loaded in this process is used.

    Args:
        tables: What the maps say.
        known: What a column that was missing is filled with.
        write: Whether trace ids are written at all, and the column added.
    """

    def __init__(self, tables: Sequence[HostTasks], known: Known, *, write: bool = True) -> None:
        self._tables = tables
        self._known = known
        self._write = write
        self._found: tuple[HostTasks, Path] | None = None
        self._checked = False
        self._waiting: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many trace ids the host's database has not taken yet."""
        return len(self._waiting)

    def session_of(self, host_id: str) -> str | None:
        """Return the session of the host's task, or None where it is not known."""
        return self._read(host_id, "session")

    def status_of(self, host_id: str) -> str | None:
        """Return completed, failed or cancelled where the host's task has ended."""
        status = self._read(host_id, "status")
        found = self._locate()
        return found[0].ended.get(status) if found is not None and status is not None else None

    def note(self, host_id: str, task_id: str, trace_id: str) -> None:
        """Write the trace id into the row of the host's task, now or as soon as the database lets us."""
        found = self._locate()
        if found is None or not self._write or not found[0].trace or len(self._waiting) >= _MAX_WAITING:
            return
        with self._lock:
            self._waiting[host_id] = trace_id
            self._flush(*found)

    def flush(self) -> None:
        """Try once more what was not taken; what stays is said."""
        found = self._locate()
        if found is None or not self._waiting:
            return
        with self._lock:
            self._flush(*found)
        if self._waiting:
            guard.warn_once("host tables", "%d trace ids are not in the host's table", len(self._waiting))

    def _flush(self, table: HostTasks, path: Path) -> None:
        try:
            with _connection(path) as connection:
                if not self._checked:
                    self._ensure_column(connection, table)
                    self._checked = True
                for host_id, trace_id in list(self._waiting.items()):
                    connection.execute(
                        f"UPDATE {table.table} SET {table.trace} = ? WHERE {table.key} = ? AND {table.trace} IS NOT ?",
                        (trace_id, host_id, trace_id),
                    )
                connection.commit()
        except sqlite3.Error:
            return  # locked, or not what the map says: kept, and tried again
        self._waiting.clear()

    def _ensure_column(self, connection: sqlite3.Connection, table: HostTasks) -> None:
        names = {row[1] for row in connection.execute(f"PRAGMA table_info({table.table})")}
        if not names or table.trace in names:
            return
        try:
            connection.execute(f"ALTER TABLE {table.table} ADD COLUMN {table.trace} TEXT")
        except sqlite3.OperationalError as error:
            if "duplicate column" not in str(error):
                raise
            return  # another process was first
        known = guard.guarded("reading traces for the host's table", self._known) or ()
        connection.executemany(
            f"UPDATE {table.table} SET {table.trace} = ? WHERE {table.key} = ? AND {table.trace} IS NULL",
            [(trace_id, host_id) for host_id, trace_id in known],
        )

    def _read(self, host_id: str, what: str) -> str | None:
        found = self._locate()
        column = getattr(found[0], what) if found is not None else ""
        if found is None or not column:
            return None
        table, path = found
        try:
            with _connection(path) as connection:
                query = f"SELECT {column} FROM {table.table} WHERE {table.key} = ?"
                row = connection.execute(query, (host_id,)).fetchone()
        except sqlite3.Error:
            return None
        return str(row[0]) if row is not None and row[0] is not None else None

    def _locate(self) -> tuple[HostTasks, Path] | None:
        """Return the table and its file. Found once: a host's path may be relative, and its directory may change."""
        if self._found is None:
            for table in self._tables:
                for target in table.database:
                    path = guard.guarded("asking the host for its database", _asked, target)
                    if path is not None:
                        self._found = (table, path)
                        return self._found
        return self._found


def _asked(target: str) -> Path | None:
    """Return the file that a function of a loaded module names; nothing is imported for it."""
    module, _, name = target.partition(":")
    loaded = sys.modules.get(module)
    function: Any = vars(loaded).get(name) if loaded is not None else None
    if not callable(function):
        return None
    try:
        path = Path(str(function())).absolute()
    except Exception:  # noqa: BLE001 - the host's own function
        return None
    return path if path.is_file() else None


@contextmanager
def _connection(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file that is there, without waiting for locks; never create one."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=0)) as connection:
        yield connection


def install(tables: HostTables | None) -> None:
    """Make `tables` what spans tell and ask; None takes it away."""
    host_tasks.table = tables
