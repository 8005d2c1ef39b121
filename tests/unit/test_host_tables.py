"""The host's own table: read and written over a connection that waits for nobody, on real SQLite files."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from agentos_otel.correlation.host_tables import HostTables
from agentos_otel.model import HostTasks

MODULE = "host_of_tables"
TASKS = HostTasks(
    (f"{MODULE}.gone:get", f"{MODULE}:get_db_path"),
    "tasks",
    "task_id",
    session="session_id",
    status="status",
    trace="trace_id",
    ended={"succeeded": "completed"},
)
HOST_ID, TRACE = "01HOSTTASK0000000000000001", "ab" * 16


def make(path: Path, *columns: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        names = ", ".join(["task_id TEXT PRIMARY KEY", "session_id TEXT", "status TEXT", *columns])
        connection.execute(f"CREATE TABLE tasks ({names})")
        connection.execute("INSERT INTO tasks (task_id, session_id, status) VALUES (?, 's-1', 'created')", (HOST_ID,))
        connection.execute("INSERT INTO tasks (task_id, status) VALUES ('01HOSTTASK0000000000000002', 'succeeded')")
        connection.commit()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "host.sqlite"
    make(path)
    module = ModuleType(MODULE)
    vars(module)["get_db_path"] = lambda: str(path)
    sys.modules[MODULE] = module
    yield path
    del sys.modules[MODULE]


def value(path: Path, host_id: str = HOST_ID) -> str | None:
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT trace_id FROM tasks WHERE task_id = ?", (host_id,)).fetchone()
    return row[0] if row else None


def test_session_and_end_of_a_host_s_task_are_read(database: Path) -> None:
    tables = HostTables([TASKS], lambda: [])
    assert tables.session_of(HOST_ID) == "s-1"
    assert tables.session_of("nobody") is None
    assert tables.status_of(HOST_ID) is None, "created is not an end"
    assert tables.status_of("01HOSTTASK0000000000000002") == "completed"


def test_the_column_is_added_once_and_the_trace_written(database: Path) -> None:
    for _ in range(2):
        HostTables([TASKS], lambda: []).note(HOST_ID, "task", TRACE)
    assert value(database) == TRACE


def test_a_column_that_a_migration_has_dropped_is_added_again_and_filled_from_our_store(database: Path) -> None:
    other = "01HOSTTASK0000000000000002"
    HostTables([TASKS], lambda: []).note(HOST_ID, "task", TRACE)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("ALTER TABLE tasks DROP COLUMN trace_id")
    known = [(HOST_ID, TRACE), (other, "cd" * 16)]
    HostTables([TASKS], lambda: known).note(HOST_ID, "task", TRACE)
    assert (value(database), value(database, other)) == (TRACE, "cd" * 16)


def test_a_locked_database_is_not_waited_for_and_is_tried_again(database: Path) -> None:
    tables = HostTables([TASKS], lambda: [])
    with closing(sqlite3.connect(database)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        tables.note(HOST_ID, "task", TRACE)
        assert tables.session_of(HOST_ID) is None
        assert tables.waiting == 1
        holder.rollback()
    tables.flush()
    assert (tables.waiting, value(database)) == (0, TRACE)


def test_nothing_is_written_where_it_is_switched_off_or_the_map_names_no_column(database: Path) -> None:
    HostTables([TASKS], lambda: [], write=False).note(HOST_ID, "task", TRACE)
    bare = HostTasks(TASKS.database, "tasks", "task_id")
    HostTables([bare], lambda: []).note(HOST_ID, "task", TRACE)
    with closing(sqlite3.connect(database)) as connection:
        assert "trace_id" not in [row[1] for row in connection.execute("PRAGMA table_info(tasks)")]


@pytest.mark.parametrize("given", [lambda: "no/such/file.sqlite", lambda: 1 / 0, lambda: None, "no function"], ids=str)
def test_a_host_whose_database_is_not_there_costs_nothing_and_gets_no_file(
    database: Path, given: object, tmp_path: Path
) -> None:
    vars(sys.modules[MODULE])["get_db_path"] = given
    tables = HostTables([TASKS], lambda: [])
    tables.note(HOST_ID, "task", TRACE)
    assert (tables.session_of(HOST_ID), tables.waiting) == (None, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["host.sqlite"]


def test_a_host_that_is_not_loaded_is_not_imported(tmp_path: Path) -> None:
    HostTables([TASKS], lambda: []).note(HOST_ID, "task", TRACE)
    assert MODULE not in sys.modules


def test_a_relative_path_is_kept_as_it_was_when_it_was_asked_first(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    vars(sys.modules[MODULE])["get_db_path"] = lambda: "host.sqlite"
    tables = HostTables([TASKS], lambda: [])
    assert tables.session_of(HOST_ID) == "s-1"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    tables.note(HOST_ID, "task", TRACE)
    assert value(database) == TRACE


def test_another_table_than_the_map_says_is_left_alone(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP TABLE tasks")
    tables = HostTables([TASKS], lambda: [])
    tables.note(HOST_ID, "task", TRACE)
    tables.flush()
    assert (tables.session_of(HOST_ID), tables.waiting) == (None, 1)
