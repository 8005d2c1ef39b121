"""Bring a database's schema to this library's version, once, however many processes start together.

The files are `sql/NNNN_name.sql`, for both databases. Each is applied statement by statement (sqlite3's executescript
would commit first) together with its own record, all in one transaction. Who comes second waits for the lock that the
first holds, looks again, and finds nothing to do.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from agentos_otel.errors import StorageError
from agentos_otel.tasks.queries import SqlSource, statements

if TYPE_CHECKING:
    from agentos_otel.tasks.connection import Connection, Deadline

TABLE: Final = "schema_migrations"
CREATE_TABLE: Final = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_ns BIGINT NOT NULL)"
)
_NEWEST: Final = f"SELECT COALESCE(MAX(version), 0) AS version FROM {TABLE}"
_RECORD: Final = f"INSERT INTO {TABLE} (version, name, applied_ns) VALUES (:version, :name, :applied_ns)"


def migrate(connection: Connection, dialect: str, source: SqlSource, deadline: Deadline) -> None:
    """Apply the migrations that a database does not have yet.

    Raises:
        StorageError: The schema is newer than this library's, or a statement failed; then nothing was changed.
        StorageTimeout: It took too long; then nothing was changed.
    """
    if _is_current(connection.schema_version(deadline), source.newest, deadline):
        return
    connection.begin([f"agentos_otel.{TABLE}"], deadline, read=False)
    try:
        connection.make_migrations_table(deadline)
        version = connection.all(_NEWEST, {}, deadline)[0]["version"]
        if not _is_current(version, source.newest, deadline):
            _apply(connection, dialect, source, version, deadline)
        connection.commit(deadline)
    except BaseException:
        connection.roll_back(deadline)
        raise


def _is_current(version: int, newest: int, deadline: Deadline) -> bool:
    if version > newest:
        raise StorageError(
            f"the task database {deadline.where} has schema {version} and this agentos-otel knows up to {newest}: "
            "upgrade it with `pip install --upgrade agentos-otel`"
        )
    return version == newest


def _apply(connection: Connection, dialect: str, source: SqlSource, version: int, deadline: Deadline) -> None:
    for number, path in source.migrations.items():
        if number <= version:
            continue
        for sql in statements(path.read_text("utf-8"), dialect):
            connection.run(sql, {}, deadline)
        record = {"version": number, "name": path.stem[5:], "applied_ns": time.time_ns()}
        connection.run(_RECORD, record, deadline)
