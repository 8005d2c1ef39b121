"""Task databases in a SQLite file, by the standard library's sqlite3."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentos_otel.errors import StorageError, UnstorableError
from agentos_otel.tasks import sqlite_wal
from agentos_otel.tasks.migrations import CREATE_TABLE, TABLE

if TYPE_CHECKING:
    from agentos_otel.tasks.connection import Deadline

NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs"})
_OPERATIONS: Final = 20_000
"""Virtual machine operations between two looks at the clock: about 1 ms."""
_ADVICE: Final = {
    sqlite3.SQLITE_NOTADB: "it is no SQLite database: move it away, or name another file",
    sqlite3.SQLITE_CORRUPT: "it is damaged: move it away, the journals hold what was in it",
    sqlite3.SQLITE_CANTOPEN: "see that it is a file you may read and write, in a directory that is there",
    sqlite3.SQLITE_READONLY: "see that you may write the file and its directory",
    sqlite3.SQLITE_PERM: "see that you may read and write the file",
    sqlite3.SQLITE_FULL: "the disk is full: make room",
    sqlite3.SQLITE_IOERR: "the disk failed: see the system's log",
}
_CLOSED: Final = (-1, -1)
_TIMEOUTS: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT})


class SqliteConnection:
    """One process's connection to one file, which is made (0600) where it is missing.

    Args:
        path: The file, absolute.
        deadline: Up to when it may take.

    Raises:
        StorageError: The file cannot be made or opened, is no database, or lies on a network file system.
        StorageTimeout: Another process kept it locked.
    """

    def __init__(self, path: str, deadline: Deadline) -> None:
        self._path = path
        self._deadline = deadline
        _make_file(path)
        self._file = _identity(path)
        try:
            self._connection = sqlite3.connect(
                path, timeout=deadline.left(), isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise _translated(error, deadline) from error
        try:
            self._set_up(deadline)
        except BaseException:
            self._connection.close()
            raise
        self._keeps_wal = sqlite_wal.keep(self._connection, path)
        _open.add(self)

    def _set_up(self, deadline: Deadline) -> None:
        self._connection.set_progress_handler(lambda: self._deadline.is_over, _OPERATIONS)
        # The change to WAL answers "locked" at once where two do it together, whatever busy_timeout says.
        while True:
            try:
                if self._connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                    self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.execute("PRAGMA foreign_keys = OFF")
                return
            except sqlite3.Error as error:
                if _code(error) not in _TIMEOUTS or deadline.is_over:
                    raise _translated(error, deadline) from error
            time.sleep(min(0.003, deadline.left()))

    @property
    def is_usable(self) -> bool:
        """Whether the file is still the one that was opened: writes into a removed one would be lost unseen."""
        return _identity(self._path) == self._file and not self.in_transaction

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._file != _CLOSED and self._connection.in_transaction

    def leak(self) -> None:
        """Give the connection a reference that nobody gives back, so that it is never closed."""
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))

    def schema_version(self, deadline: Deadline) -> int:
        """Return the number of the newest migration applied, 0 if none."""
        there = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = :name"
        if not self.all(there, {"name": TABLE}, deadline):
            return 0
        return int(self.all(f"SELECT COALESCE(MAX(version), 0) AS v FROM {TABLE}", {}, deadline)[0]["v"])

    def make_migrations_table(self, deadline: Deadline) -> None:
        """Make the table of migrations unless it is there."""
        self.run(CREATE_TABLE, {}, deadline)

    def begin(self, locks: Sequence[str], deadline: Deadline, *, read: bool) -> None:
        """Begin a transaction; a writing one shuts out every other writer, so `locks` have nothing to add."""
        self.run(f"PRAGMA busy_timeout = {deadline.left_ms()}", {}, deadline)
        self.run("BEGIN" if read and not locks else "BEGIN IMMEDIATE", {}, deadline)

    def run(self, sql: str, parameters: Mapping[str, Any], deadline: Deadline) -> int:
        """Run a statement and return how many rows it changed."""
        cursor = self._execute(sql, parameters, deadline)
        try:
            return max(0, cursor.rowcount)
        finally:
            cursor.close()

    def all(self, sql: str, parameters: Mapping[str, Any], deadline: Deadline) -> list[dict[str, Any]]:
        """Run a statement and return its rows."""
        cursor = self._execute(sql, parameters, deadline)
        try:
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except sqlite3.Error as error:
            raise _translated(error, deadline) from error
        finally:
            cursor.close()

    def commit(self, deadline: Deadline) -> None:
        """Keep what the transaction did; it is not refused for being late, since it waits for nobody."""
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _translated(error, deadline) from error

    def roll_back(self, deadline: Deadline) -> None:
        """Undo what the transaction did; never raises."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()

    def close(self) -> None:
        """Close the connection; never raises."""
        if self._file == _CLOSED:
            return
        self._file = _CLOSED
        with suppress(sqlite3.Error):
            self._connection.close()
        if self._keeps_wal:
            sqlite_wal.release(self._path)

    def _execute(self, sql: str, parameters: Mapping[str, Any], deadline: Deadline) -> sqlite3.Cursor:
        deadline.left()
        self._deadline = deadline
        try:
            try:
                return self._connection.execute(sql, parameters)
            except UnicodeEncodeError:  # half a surrogate pair, as in the name of a file that is not UTF-8
                clean = {
                    key: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
                    for key, value in parameters.items()
                }
                return self._connection.execute(sql, clean)
        except (sqlite3.Error, OverflowError) as error:
            raise _translated(error, deadline) from error


_open: weakref.WeakSet[SqliteConnection] = weakref.WeakSet()


def _keep_inherited() -> None:
    """Keep a connection inherited amid a transaction from being closed when the forked process ends.

    Closing would roll back in the memory that the WAL index shares with the parent. One that was idle does no harm.
    """
    for connection in list(_open):
        if connection.in_transaction:
            connection.leak()
    _open.clear()


os.register_at_fork(after_in_child=_keep_inherited)

_UNSTORABLE: Final = (OverflowError, sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
"""What the driver says to a value of another type than SQLite has, to one too large, and to none where one must be."""


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _translated(error: Exception, deadline: Deadline) -> StorageError:
    if _code(error) in _TIMEOUTS:
        return deadline.passed()
    if isinstance(error, _UNSTORABLE):
        return UnstorableError(f"the task database {deadline.where} does not take that: {error}")
    advice = _ADVICE.get(_code(error), "see that no other program has changed it")
    return StorageError(f"the task database {deadline.where} cannot be used ({error}): {advice}")


def _identity(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116 - on each transaction, and three times faster than pathlib
    except OSError:
        return (0, 0)
    return (status.st_dev, status.st_ino)


def _make_file(path: str) -> None:
    """Make the file with mode 0600, which SQLite then gives to what it makes beside it."""
    directory = Path(path).parent
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_network(directory, f"the task database {path}", "name a local file, or a postgresql:// URL")
        # Only a new file is ever opened here: closing a descriptor of one that is in use drops this process's locks.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if Path(path).is_file():
            return
        raise StorageError(f"the task database {path} is no file: name another one") from None
    except OSError as error:
        advice = "see that you may write there, or name another file"
        raise StorageError(f"the task database {path} cannot be made ({error.strerror}): {advice}") from error


def refuse_network(directory: Path, what: str, advice: str) -> None:
    """Raise where WAL cannot work: its index is memory shared by processes of one machine.

    Args:
        directory: Where the file is to lie.
        what: How the error calls it.
        advice: What to do, for the error.

    Raises:
        StorageError: The directory lies on a network file system.
        OSError: There is no such directory.
    """
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace")
    except OSError:
        return
    kind = filesystem_of(directory.stat().st_dev, mounts)
    if kind in NETWORK:
        raise StorageError(f"{what} would lie on a network file system ({kind}), where SQLite loses data: {advice}")


def filesystem_of(device: int, mounts: str) -> str:
    """Return the type of a device's file system as Linux calls it, or nothing where `mounts` does not name it.

    Args:
        device: `st_dev` of what lies on it.
        mounts: Text of `/proc/self/mountinfo`.
    """
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        fields = line.split(" ")
        if fields[2:3] == [wanted] and "-" in fields[:-1]:
            return fields[fields.index("-") + 1]
    return ""
