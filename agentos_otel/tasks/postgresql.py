"""Task databases in PostgreSQL, by psycopg's low-level `pq`, so that no call can wait beyond the deadline.

libpq's own time-outs round up to 2 s and do not cover statements at all: a silent server would block the traced program
for ever. So everything is non-blocking, and we wait for the socket ourselves. The name of a host is still looked up by
libpq, which waits as long as the resolver does.
"""

from __future__ import annotations

import importlib
import select
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from agentos_otel.errors import ConfigurationError, StorageError, UnstorableError
from agentos_otel.tasks.connection import ConnectionLost, Deadline
from agentos_otel.tasks.migrations import CREATE_TABLE, TABLE
from agentos_otel.tasks.queries import for_postgresql

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

SCHEMA: Final = "agentos_otel"
_TIMED_OUT: Final = frozenset({"57014", "55P03"})
"""SQLSTATEs of statement_timeout and lock_timeout."""
_UNDEFINED: Final = frozenset({"42P01", "3F000"})
_UNSTORABLE: Final = frozenset({"22", "23"})
"""Classes of SQLSTATEs: a value of another type or size than the column has, and none where one must be."""


def _number(text: str) -> int | float:
    return float(text) if "." in text or not text.lstrip("-").isdigit() else int(text)


_CONVERT: Final[dict[int, Callable[[str], Any]]] = {
    16: lambda text: text == "t",
    20: int,
    21: int,
    23: int,
    700: float,
    701: float,
    1700: _number,
}
"""By OID: bool, int8, int2, int4, float4, float8, numeric (what SUM of int8 gives)."""


@cache
def driver() -> ModuleType:
    """Return `psycopg.pq`.

    Raises:
        ConfigurationError: It, or the libpq it needs, is not installed.
    """
    try:
        return importlib.import_module("psycopg.pq")
    except ImportError as error:
        raise ConfigurationError("PostgreSQL needs its driver: pip install 'agentos-otel[postgresql]'") from error


@cache
def _numbered(sql: str) -> tuple[bytes, tuple[str, ...]]:
    text, names = for_postgresql(sql)
    return text.encode(), names


class PostgresqlConnection:
    """One process's connection to one PostgreSQL database.

    Args:
        url: What libpq takes as a connection URI.
        deadline: Up to when it may take.

    Raises:
        ConfigurationError: The driver is not installed.
        StorageError: The server refused.
        StorageTimeout: The server did not answer.
    """

    def __init__(self, url: str, deadline: Deadline) -> None:
        pq = driver()
        self._idle = pq.TransactionStatus.IDLE
        self._in_block = (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR)
        self._bad = pq.ConnStatus.BAD
        self._good = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.EMPTY_QUERY)
        self._sqlstate = pq.DiagnosticField.SQLSTATE
        self._message = pq.DiagnosticField.MESSAGE_PRIMARY
        self._conn: PGconn = pq.PGconn.connect_start(url.encode())
        try:
            self._connect(pq.PollingStatus, deadline)
            self._conn.nonblocking = 1
            self._send(self._conn.send_query, b"SET client_encoding TO 'UTF8'", deadline=deadline)
        except BaseException:
            self._conn.finish()
            raise

    def _connect(self, polling: Any, deadline: Deadline) -> None:
        while self._conn.status != self._bad:
            match self._conn.connect_poll():
                case polling.OK:
                    return
                case polling.READING:
                    self._wait(select.POLLIN, deadline)
                case polling.WRITING:
                    self._wait(select.POLLOUT, deadline)
                case _:
                    break
        reason = _line(self._conn.error_message.decode("utf-8", "replace")) or "no reason given"
        raise StorageError(
            f"the task database {deadline.where} cannot be reached ({reason}): see that the server runs and "
            "the URL is right"
        )

    @property
    def is_usable(self) -> bool:
        """Whether another transaction may begin on it."""
        return bool(self._conn.status != self._bad and self._conn.transaction_status == self._idle)

    def schema_version(self, deadline: Deadline) -> int:
        """Return the number of the newest migration applied, 0 if none."""
        try:
            rows = self.all(f"SELECT COALESCE(MAX(version), 0) AS v FROM {SCHEMA}.{TABLE}", {}, deadline)
        except _UndefinedError:
            return 0
        return int(rows[0]["v"])

    def make_migrations_table(self, deadline: Deadline) -> None:
        """Make the schema and in it the table of migrations, unless they are there."""
        # IF NOT EXISTS would ask for the right to make schemas even where an administrator has made ours.
        if self.all("SELECT to_regnamespace(:name) IS NULL AS missing", {"name": SCHEMA}, deadline)[0]["missing"]:
            self.run(f"CREATE SCHEMA {SCHEMA}", {}, deadline)
        self.run(CREATE_TABLE, {}, deadline)

    def begin(self, locks: Sequence[str], deadline: Deadline, *, read: bool) -> None:
        """Begin a transaction and take advisory locks on `locks`, in one order for everybody.

        The settings are the transaction's, not the session's: that also holds behind a pooler. READ COMMITTED, so that
        the statement after the lock sees what its last holder did. The server's own time-out frees a session whose
        client has given up.
        """
        begin = (
            f"BEGIN ISOLATION LEVEL READ COMMITTED {'READ ONLY' if read else 'READ WRITE'}; "
            f"SET LOCAL search_path TO {SCHEMA}; SET LOCAL statement_timeout TO {deadline.left_ms()}"
        )
        self._send(self._conn.send_query, begin.encode(), deadline=deadline)
        if locks:
            keys = {f"key{number}": key for number, key in enumerate(sorted(set(locks)))}
            calls = ", ".join(f"pg_advisory_xact_lock(hashtextextended(:{key}, 0))" for key in keys)
            self.all(f"SELECT {calls}", keys, deadline)

    def run(self, sql: str, parameters: Mapping[str, Any], deadline: Deadline) -> int:
        """Run a statement and return how many rows it changed."""
        return self._query(sql, parameters, deadline).command_tuples or 0

    def all(self, sql: str, parameters: Mapping[str, Any], deadline: Deadline) -> list[dict[str, Any]]:
        """Run a statement and return its rows."""
        result = self._query(sql, parameters, deadline)
        columns = [
            (number, (result.fname(number) or b"").decode(), _CONVERT.get(result.ftype(number), str))
            for number in range(result.nfields)
        ]
        rows = []
        for row in range(result.ntuples):
            values = ((name, result.get_value(row, number), convert) for number, name, convert in columns)
            rows.append({name: None if value is None else convert(value.decode()) for name, value, convert in values})
        return rows

    def commit(self, deadline: Deadline) -> None:
        """Keep what the transaction did."""
        self._send(self._conn.send_query, b"COMMIT", deadline=deadline)

    def roll_back(self, deadline: Deadline) -> None:
        """Undo what the transaction did; a connection that cannot do that in time is closed, which does it too."""
        try:
            if self._conn.status != self._bad and self._conn.transaction_status in self._in_block:
                self._send(self._conn.send_query, b"ROLLBACK", deadline=deadline)
        except StorageError:
            self._conn.finish()

    def close(self) -> None:
        """Close the connection; never raises."""
        self._conn.finish()

    def _query(self, sql: str, parameters: Mapping[str, Any], deadline: Deadline) -> PGresult:
        command, names = _numbered(sql)
        try:
            values = [_encoded(parameters[name]) for name in names]
        except KeyError as error:
            raise StorageError(f"a query of the task database needs the parameter {error}: report this") from error
        return self._send(self._conn.send_query_params, command, values, deadline=deadline)

    def _send(self, send: Callable[..., None], *arguments: Any, deadline: Deadline) -> PGresult:
        """Send a command, and return its last result.

        Raises:
            StorageTimeout: No answer in time; the connection is closed.
            ConnectionLost: The server is gone.
            StorageError: The server refused the command.
        """
        from psycopg import Error

        deadline.left()
        try:
            send(*arguments)
            results = self._results(deadline)
        except Error as error:
            self._conn.finish()
            raise ConnectionLost(
                f"the task database {deadline.where} closed the connection ({_line(str(error))}): see that it runs"
            ) from error
        except BaseException:
            # What was sent may still be answered: nobody may take that answer for one to something else.
            self._conn.finish()
            raise
        for result in results:
            if result.status not in self._good:
                raise self._refusal(result, deadline)
        return results[-1]

    def _results(self, deadline: Deadline) -> list[PGresult]:
        conn = self._conn
        while conn.flush():
            if self._wait(select.POLLIN | select.POLLOUT, deadline) & select.POLLIN:
                conn.consume_input()
        results: list[PGresult] = []
        while True:
            while conn.is_busy():
                self._wait(select.POLLIN, deadline)
                conn.consume_input()
            result = conn.get_result()
            if result is None:
                return results
            results.append(result)

    def _refusal(self, result: PGresult, deadline: Deadline) -> StorageError:
        state = (result.error_field(self._sqlstate) or b"").decode()
        message = _line((result.error_field(self._message) or b"no reason given").decode("utf-8", "replace"))
        if self._conn.status == self._bad:
            return ConnectionLost(
                f"the task database {deadline.where} closed the connection ({message}): see that it runs"
            )
        if state in _TIMED_OUT:
            return deadline.passed()
        if state[:2] in _UNSTORABLE:
            return UnstorableError(f"the task database {deadline.where} does not take that ({message}, {state})")
        kind = _UndefinedError if state in _UNDEFINED else StorageError
        return kind(f"the task database {deadline.where} refused ({message}, {state}): see that this user may do that")

    def _wait(self, events: int, deadline: Deadline) -> int:
        poll = select.poll()
        poll.register(self._conn.socket, events)
        ready = poll.poll(deadline.left() * 1000)
        if not ready:
            raise deadline.passed()
        return ready[0][1]


class _UndefinedError(StorageError):
    """There is no such table or schema."""


def _encoded(value: str | int | float | None) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return b"1" if value else b"0"  # as SQLite has it; a column of type boolean takes it too
    text = value if isinstance(value, str) else repr(value)
    # What PostgreSQL's text cannot hold: half a surrogate pair, and NUL, at which libpq would cut silently.
    return text.encode("utf-8", "replace").replace(b"\0", "\N{REPLACEMENT CHARACTER}".encode())


def _line(message: str) -> str:
    return " ".join(message.split())
