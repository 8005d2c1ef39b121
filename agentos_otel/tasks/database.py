"""The port to the task database: transactions of named queries, on SQLite or PostgreSQL.

Nothing is opened, and no driver imported, before the first transaction. Each process has its own connection, even after
a fork: what was inherited is neither used nor closed, since both would reach into the parent's.
"""

from __future__ import annotations

import importlib.util
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Literal, Protocol, TypeVar

from agentos_otel.errors import ConfigurationError, StorageError
from agentos_otel.tasks.connection import Connection, ConnectionLost, Deadline
from agentos_otel.tasks.queries import SqlSource, package_source

Row = dict[str, Any]
Dialect = Literal["sqlite", "postgresql"]
Connect = Callable[[Deadline], Connection]
_Result = TypeVar("_Result")

_CREDENTIALS: Final = re.compile(r"//[^/?#]*@|\?.*", re.DOTALL)


class Transaction(Protocol):
    """One transaction; each call raises StorageTimeout or StorageError, and then nothing of it is kept."""

    def run(self, query_name: str, /, **parameters: Any) -> int:
        """Run a named query and return how many rows it changed."""
        ...

    def all(self, query_name: str, /, **parameters: Any) -> list[Row]:
        """Return the rows of a named query."""
        ...

    def one(self, query_name: str, /, **parameters: Any) -> Row | None:
        """Return the first row of a named query, or None."""
        ...


class Database(Protocol):
    """A task database; safe to use from several threads, one transaction at a time."""

    @property
    def dialect(self) -> Dialect:
        """Which database it is."""
        ...

    def transaction(
        self, locks: Sequence[str] = (), timeout: float | None = None, *, read: bool = False
    ) -> AbstractContextManager[Transaction]:
        """Begin a transaction; it is kept when the block ends, and undone when the block raises.

        Args:
            locks: Keys to lock against every other transaction that names one of them.
            timeout: Seconds for everything together: connection, locks, statements; else what the database was
                opened with.
            read: Whether it only reads; then it waits for no writer.

        Raises:
            StorageTimeout: The database did not answer in time.
            StorageError: The database failed, or this thread is in a transaction already.
        """
        ...

    def close(self) -> None:
        """Close this process's connection; the next transaction opens another."""
        ...


def open_database(url: str, timeout: float, sql: SqlSource | None = None) -> Database:
    """Return the database at `url`, not yet connected.

    Args:
        url: `sqlite:///absolute/path` or what libpq takes as `postgresql://…`.
        timeout: Seconds that a transaction may take unless it says otherwise.
        sql: Queries and migrations; the package's own by default.

    Raises:
        ConfigurationError: The URL is of another kind, or the driver is not installed.
    """
    scheme, _, rest = url.partition("://")
    where = _CREDENTIALS.sub(lambda match: "//" if match[0][0] == "/" else "", url)
    if scheme == "sqlite":
        path = "/" + rest.lstrip("/")
        if not rest.startswith("/") or path == "/":
            raise ConfigurationError(f"{where!r} names no file: write sqlite:///absolute/path/of/tasks.db")

        def connect(deadline: Deadline) -> Connection:
            from agentos_otel.tasks.sqlite import SqliteConnection

            return SqliteConnection(path, deadline)

        return _Database("sqlite", path, connect, timeout, sql or package_source())
    if scheme in {"postgresql", "postgres"}:
        if importlib.util.find_spec("psycopg") is None:
            raise ConfigurationError("PostgreSQL needs its driver: pip install 'agentos-otel[postgresql]'")

        def connect_postgresql(deadline: Deadline) -> Connection:
            from agentos_otel.tasks.postgresql import PostgresqlConnection

            return PostgresqlConnection(url, deadline)

        return _Database("postgresql", where, connect_postgresql, timeout, sql or package_source())
    # Not even the rest of it is shown: what is no URL may well be a pasted password.
    raise ConfigurationError(
        f"no database URL: it begins with {scheme[:12]!r}; write sqlite:///absolute/path or postgresql://host/database"
    )


class _State:
    """What belongs to one process: its lock and its connection."""

    def __init__(self) -> None:
        # An RLock, so that a signal handler which interrupts a transaction gets an error instead of a deadlock.
        self.lock = threading.RLock()
        self.connection: Connection | None = None
        self.busy = False


class _Database:
    def __init__(self, dialect: Dialect, where: str, connect: Connect, timeout: float, sql: SqlSource) -> None:
        self.dialect: Dialect = dialect
        self._where = where
        self._connect = connect
        self._timeout = timeout
        self._sql = sql
        # By process id: setdefault is atomic, a lock that another thread held at the fork is left behind, and the
        # inherited connection stays referenced, so that it is not closed.
        self._states: dict[int, _State] = {}

    @contextmanager
    def transaction(
        self, locks: Sequence[str] = (), timeout: float | None = None, *, read: bool = False
    ) -> Iterator[_Transaction]:
        if self.dialect == "postgresql":
            from agentos_otel.tasks.postgresql import driver

            driver()  # 130 ms of import are our own doing, not the database's: before the deadline begins
        deadline = Deadline(self._timeout if timeout is None else timeout, self._where)
        pid = os.getpid()
        state = self._states.get(pid) or self._states.setdefault(pid, _State())
        if not state.lock.acquire(timeout=deadline.left()):
            raise deadline.passed()
        try:
            if state.busy:
                raise StorageError(f"this thread is in a transaction on {self._where} already: end that one first")
            state.busy = True
            try:
                transaction = _Transaction(self._begin(state, locks, deadline, read=read), self._sql, deadline, pid)
                try:
                    yield transaction
                except BaseException:
                    transaction.end(keep=False)
                    raise
                transaction.end(keep=True)
            finally:
                state.busy = False
        finally:
            state.lock.release()

    def _begin(self, state: _State, locks: Sequence[str], deadline: Deadline, *, read: bool) -> Connection:
        connection = state.connection
        if connection is not None:
            if connection.is_usable:
                try:
                    connection.begin(locks, deadline, read=read)
                except ConnectionLost:
                    pass  # the server was restarted since: nothing was sent yet, so once more on a new connection
                else:
                    return connection
            state.connection = None
            connection.close()
        connection = self._connect(deadline)
        try:
            from agentos_otel.tasks.migrations import migrate

            migrate(connection, self.dialect, self._sql, deadline)
            connection.begin(locks, deadline, read=read)
        except BaseException:
            connection.close()
            raise
        state.connection = connection
        return connection

    def close(self) -> None:
        state = self._states.get(os.getpid())
        if state is None:
            return
        with state.lock:
            if state.connection is not None and not state.busy:
                state.connection.close()
                state.connection = None


class _Transaction:
    def __init__(self, connection: Connection, sql: SqlSource, deadline: Deadline, pid: int) -> None:
        self._connection = connection
        self._sql = sql
        self._deadline = deadline
        self._pid = pid
        self._error: StorageError | None = None

    def run(self, query_name: str, /, **parameters: Any) -> int:
        return self._call(self._connection.run, query_name, parameters)

    def all(self, query_name: str, /, **parameters: Any) -> list[Row]:
        return self._call(self._connection.all, query_name, parameters)

    def one(self, query_name: str, /, **parameters: Any) -> Row | None:
        rows = self.all(query_name, **parameters)
        return rows[0] if rows else None

    def _call(self, call: Callable[[str, Row, Deadline], _Result], query_name: str, parameters: Row) -> _Result:
        if self._pid != os.getpid():
            raise StorageError("a transaction cannot be continued by a forked process: begin one there")
        if self._error is not None:
            raise self._error
        sql = self._sql.queries[query_name]
        try:
            return call(sql, parameters, self._deadline)
        except StorageError as error:
            self._error = error
            raise

    def end(self, *, keep: bool) -> None:
        if self._pid != os.getpid():
            return  # forked inside the block: the transaction is the parent's to end
        if not keep:
            self._connection.roll_back(self._deadline)
            return
        try:
            # PostgreSQL keeps nothing after a failed statement, SQLite would: the caller who caught it gets it again.
            if self._error is not None:
                raise self._error
            self._connection.commit(self._deadline)
        except BaseException:
            self._connection.roll_back(self._deadline)
            raise
