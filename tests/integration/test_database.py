"""The port to the task database, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from agentos_otel.errors import ConfigurationError, StorageError, StorageTimeout
from agentos_otel.tasks.database import Database, open_database
from agentos_otel.tasks.queries import SqlSource

MIGRATION = """
-- a comment; with a semicolon
-- only: postgresql
CREATE SCHEMA IF NOT EXISTS agentos_otel;
CREATE TABLE things (id TEXT PRIMARY KEY, at BIGINT, share DOUBLE PRECISION, note TEXT DEFAULT 'a;b');
CREATE TABLE plain (id TEXT)
"""
QUERIES = """
-- name: add
INSERT INTO things (id, at, share) VALUES (:id, :at, :share) ON CONFLICT (id) DO NOTHING
-- name: add_plain
INSERT INTO plain (id) VALUES (:id)
-- name: touch
UPDATE things SET at = :at WHERE id >= :id
-- name: get
SELECT id, at, share, note FROM things WHERE id = :id
-- name: plain
SELECT id FROM plain WHERE id = :id
-- name: total
SELECT COUNT(*) AS count, SUM(at) AS total FROM things
-- name: migrations
SELECT version, name FROM schema_migrations ORDER BY version
-- name: wrong
INSERT INTO nowhere (id) VALUES (:id)
"""
FORK = multiprocessing.get_context("fork")
SPAWN = multiprocessing.get_context("spawn")


def write_sql(directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "0001_first.sql").write_text(MIGRATION)
    (directory / "things.sql").write_text(QUERIES)
    return directory


@pytest.fixture
def sql(tmp_path: Path) -> SqlSource:
    return SqlSource(write_sql(tmp_path / "sql"))


@pytest.fixture
def database(database_url: str, sql: SqlSource) -> Iterator[Database]:
    with closing(open_database(database_url, 20, sql)) as opened:
        yield opened


def add(database: Database, id_: str, at: int | None = 1, share: float | None = None) -> int:
    with database.transaction() as tx:
        return tx.run("add", id=id_, at=at, share=share)


def execute(url: str, sql: str) -> None:
    """Run a statement as another program would."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None)) as connection:
            connection.execute(sql)
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SET search_path TO agentos_otel")
        other.execute(sql.encode())


def test_rows_come_back_as_they_went_in(database: Database) -> None:
    assert add(database, "a", 2**62, 0.1) == 1
    assert add(database, "a", 5) == 0
    assert add(database, "b", None) == 1
    with database.transaction(read=True) as tx:
        assert tx.one("get", id="a") == {"id": "a", "at": 2**62, "share": 0.1, "note": "a;b"}
        assert tx.all("get", id="b") == [{"id": "b", "at": None, "share": None, "note": "a;b"}]
        assert tx.one("get", id="c") is None
    with database.transaction() as tx:
        assert tx.run("touch", id="", at=True) == 2
        assert tx.one("total") == {"count": 2, "total": 2}


def test_text_that_no_database_can_hold_is_kept_legible(database: Database) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert add(database, name) == 1
    with database.transaction() as tx:
        assert tx.one("get", id=name) is not None
        tx.run("add_plain", id="a\0b")
        assert tx.one("plain", id="a\0b") is not None


def test_a_block_that_raises_keeps_nothing(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as tx:
            tx.run("add", id="a", at=1, share=None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert add(database, "a") == 1


def test_a_block_with_a_failed_statement_keeps_nothing(database: Database) -> None:
    def ignore_failure() -> None:
        with database.transaction() as tx:
            tx.run("add", id="a", at=1, share=None)
            with suppress(StorageError):
                tx.run("wrong", id="x")

    with pytest.raises(StorageError, match="nowhere") as caught:
        ignore_failure()
    assert "\n" not in str(caught.value)
    assert add(database, "a") == 1


def test_missing_parameters_are_said(database: Database) -> None:
    with pytest.raises(StorageError), database.transaction() as tx:
        tx.run("add_plain")


def test_a_transaction_inside_another_is_refused_at_once(database: Database) -> None:
    with database.transaction() as tx:
        with pytest.raises(StorageError, match="already"):
            add(database, "inner")
        tx.run("add", id="outer", at=1, share=None)
    with database.transaction(read=True) as tx:
        assert tx.one("get", id="outer") is not None


def test_threads_take_turns_and_do_not_wait_beyond_their_time(database: Database) -> None:
    threads = [threading.Thread(target=add, args=(database, str(number))) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors: list[Exception] = []

    def late() -> None:
        try:
            with database.transaction(timeout=0.05):
                pass
        except StorageTimeout as error:
            errors.append(error)

    with database.transaction() as tx:
        assert tx.one("total") == {"count": 8, "total": 8}
        waiting = threading.Thread(target=late)
        waiting.start()
        waiting.join()
    assert len(errors) == 1


def migrate(url: str, directory: Path, start: Event) -> None:
    start.wait()
    with closing(open_database(url, 60, SqlSource(directory))) as database:
        add(database, str(os.getpid()))


def test_twenty_processes_may_migrate_at_once(database_url: str, sql: SqlSource, tmp_path: Path) -> None:
    start = FORK.Event()
    processes = [FORK.Process(target=migrate, args=(database_url, tmp_path / "sql", start)) for _ in range(20)]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 20
    with closing(open_database(database_url, 20, sql)) as database, database.transaction(read=True) as tx:
        assert tx.one("total") == {"count": 20, "total": 20}
        assert tx.all("migrations") == [{"version": 1, "name": "first"}]


def bear(url: str, directory: Path, start: Event) -> None:
    with closing(open_database(url, 60, SqlSource(directory))) as database:
        with database.transaction(read=True):
            pass
        start.wait()
        for number in range(10):
            with database.transaction(locks=[f"b{number}", f"a{number}"]) as tx:
                if not tx.all("plain", id=f"a{number}"):
                    tx.run("add_plain", id=f"a{number}")


def test_locks_make_racing_births_single(database: Database, database_url: str, tmp_path: Path) -> None:
    start = FORK.Event()
    processes = [FORK.Process(target=bear, args=(database_url, tmp_path / "sql", start)) for _ in range(8)]
    for process in processes:
        process.start()
    time.sleep(0.2)
    start.set()
    for process in processes:
        process.join()
    with database.transaction(read=True) as tx:
        assert [len(tx.all("plain", id=f"a{number}")) for number in range(10)] == [1] * 10


def test_a_later_migration_is_applied_and_a_failed_one_is_not(database_url: str, tmp_path: Path) -> None:
    directory = write_sql(tmp_path / "sql")
    with closing(open_database(database_url, 20, SqlSource(directory))) as database:
        add(database, "a")
    second = directory / "0002_second.sql"
    second.write_text("CREATE TABLE extra (id TEXT); CREATE TABLE nonsense oops;")
    with closing(open_database(database_url, 20, SqlSource(directory))) as database, pytest.raises(StorageError):
        add(database, "b")
    second.write_text("CREATE TABLE extra (id TEXT);")
    with closing(open_database(database_url, 20, SqlSource(directory))) as database:
        add(database, "b")
        with database.transaction(read=True) as tx:
            assert [row["version"] for row in tx.all("migrations")] == [1, 2]


def test_a_newer_schema_is_refused(database: Database, database_url: str, sql: SqlSource) -> None:
    add(database, "a")
    execute(database_url, "INSERT INTO schema_migrations (version, name, applied_ns) VALUES (99, 'x', 0)")
    with (
        closing(open_database(database_url, 20, sql)) as newer,
        pytest.raises(StorageError, match=r"schema 99 .* upgrade"),
    ):
        add(newer, "b")


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked process that ends as a program does, and return its exit status."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_forked_process_has_its_own_connection(database: Database) -> None:
    def work() -> None:
        add(database, "child")
        database.close()

    add(database, "parent")
    assert in_child(work) == 0
    assert add(database, "parent again") == 1
    with database.transaction(read=True) as tx:
        assert tx.one("total") == {"count": 3, "total": 3}


def test_a_process_forked_inside_a_transaction_leaves_it_alone(database: Database) -> None:
    def continued() -> None:
        with pytest.raises(StorageError, match="forked"):
            tx.run("add", id="child", at=1, share=None)

    with database.transaction() as tx:
        tx.run("add", id="parent", at=1, share=None)
        assert in_child(continued) == 0
    with database.transaction(read=True) as tx:
        assert tx.one("total") == {"count": 1, "total": 1}


def test_a_signal_handler_gets_an_error_and_no_deadlock(database: Database) -> None:
    errors: list[StorageError] = []

    def handle(*_: object) -> None:
        try:
            add(database, "handler")
        except StorageError as error:
            errors.append(error)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with database.transaction() as tx:
            signal.raise_signal(signal.SIGUSR1)
            tx.run("add", id="a", at=1, share=None)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(errors) == 1
    with database.transaction(read=True) as tx:
        assert tx.one("total") == {"count": 1, "total": 1}


def test_a_child_that_ends_normally_amid_a_transaction_does_no_harm(database_url: str, tmp_path: Path) -> None:
    # Enough rows for SQLite to put some in the log before the commit: only then a child's rollback destroys them.
    write_sql(tmp_path / "sql")
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from agentos_otel.tasks.database import open_database\nfrom agentos_otel.tasks.queries import SqlSource\n"
        "database = open_database(sys.argv[1], 20, SqlSource(Path(sys.argv[2])))\n"
        "pid = 0\n"
        "with database.transaction() as tx:\n"
        "    for n in range(1500): tx.run('add', id=f'{n:03000}', at=1, share=None)\n"
        "    pid = os.fork()\n"
        "    if pid: assert os.waitpid(pid, 0)[1] == 0\n"
        "    if pid: tx.run('add', id='last', at=1, share=None)\n"
        "if pid:\n"
        "    with database.transaction(read=True) as tx: assert tx.one('total')['count'] == 1501\n"
        "    database.close()\n"
    )
    arguments = [sys.executable, "-c", program, database_url, str(tmp_path / "sql")]
    assert subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60).stderr == ""


def silent_server() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def test_a_silent_postgresql_server_costs_no_more_than_the_timeout() -> None:
    with silent_server() as server:
        database = open_database(f"postgresql://u:secret@127.0.0.1:{server.getsockname()[1]}/d", 0.25)
        with closing(database):
            with pytest.raises(StorageTimeout) as caught, database.transaction():
                pass
            began = time.monotonic()
            with pytest.raises(StorageTimeout), database.transaction():
                pass
            assert time.monotonic() - began < 0.9
    assert "secret" not in str(caught.value)


def test_no_postgresql_server_is_said() -> None:
    with silent_server() as server:
        port = server.getsockname()[1]
    database = open_database(f"postgresql://127.0.0.1:{port}/d?password=secret", 5)
    with pytest.raises(StorageError, match="refused") as caught, database.transaction():
        pass
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_lock_that_another_holds_costs_no_more_than_the_timeout(
    database: Database, database_url: str, sql: SqlSource
) -> None:
    add(database, "a")
    with closing(open_database(database_url, 20, sql)) as holder, holder.transaction(locks=["k", "l"]) as tx:
        tx.run("add", id="held", at=1, share=None)
        began = time.monotonic()
        with pytest.raises(StorageTimeout), database.transaction(locks=["a", "l"], timeout=0.25):
            pass
        assert 0.2 < time.monotonic() - began < 0.9
        with database.transaction(read=True) as reading:
            assert reading.one("get", id="held") is None
    assert add(database, "b") == 1


@pytest.mark.postgresql
def test_a_lost_connection_is_made_again(new_postgresql_url: str, sql: SqlSource) -> None:
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def interrupted(database: Database) -> None:
        with database.transaction() as tx:
            execute(new_postgresql_url, kill)
            tx.run("add", id="c", at=1, share=None)

    with closing(open_database(new_postgresql_url, 20, sql)) as database:
        add(database, "a")
        execute(new_postgresql_url, kill)
        assert add(database, "b") == 1
        with pytest.raises(StorageError, match="closed the connection"):
            interrupted(database)
        assert add(database, "c") == 1


@pytest.mark.postgresql
def test_notices_are_not_printed(new_postgresql_url: str, sql: SqlSource, capfd: pytest.CaptureFixture[str]) -> None:
    with closing(open_database(new_postgresql_url, 20, sql)) as database:
        add(database, "a")
    assert capfd.readouterr() == ("", "")


def test_files_are_private(tmp_path: Path, sql: SqlSource) -> None:
    path = tmp_path / "new" / "deep er" / "tasks.db"
    with closing(open_database(f"sqlite:///{path}", 5, sql)) as database:
        add(database, "a")
        modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()}
    assert modes == {"tasks.db": 0o600, "tasks.db-wal": 0o600, "tasks.db-shm": 0o600}


def test_a_removed_file_is_made_again(tmp_path: Path, sql: SqlSource) -> None:
    with closing(open_database(f"sqlite://{tmp_path}/tasks.db", 5, sql)) as database:
        add(database, "a")
        for path in tmp_path.glob("tasks.db*"):
            path.unlink()
        assert add(database, "a") == 1


@pytest.mark.parametrize("kind", ["garbage", "directory", "under a file"])
def test_what_is_no_database_is_refused(kind: str, tmp_path: Path, sql: SqlSource) -> None:
    path = tmp_path / "tasks.db"
    if kind == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"this is no database, whatever its name says " * 100)
    url = f"sqlite://{path / 'x.db' if kind == 'under a file' else path}"
    with (
        closing(open_database(url, 5, sql)) as database,
        pytest.raises(StorageError, match=r"tasks\.db") as caught,
        database.transaction(),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_a_long_statement_is_stopped(tmp_path: Path) -> None:
    directory = write_sql(tmp_path / "sql")
    (directory / "slow.sql").write_text(
        "-- name: slow\nWITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) AS c FROM n\n"
    )
    with closing(open_database(f"sqlite://{tmp_path}/tasks.db", 5, SqlSource(directory))) as database:
        add(database, "a")
        with pytest.raises(StorageTimeout), database.transaction(timeout=0.1) as tx:
            tx.all("slow")
        assert add(database, "b") == 1


@pytest.mark.parametrize(
    "url", ["", "hunter2", "mysql://h/d", "sqlite://", "sqlite:///", "sqlite://rel.db", ":memory:"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sqlite:///"):
        open_database(url, 1)


def test_opening_imports_no_driver() -> None:
    program = (
        "import sys; from agentos_otel.tasks.database import open_database; open_database('postgresql:///x', 1); "
        "open_database('sqlite:////x', 1); print(*({'sqlite3', 'psycopg'} & sys.modules.keys()))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == ""


def test_the_packaged_schema_and_queries_fit_both(database_url: str) -> None:
    from agentos_otel.tasks.queries import for_postgresql, package_queries

    with closing(open_database(database_url, 20)) as database:
        for name, sql in package_queries().items():
            numbers = {"at", "since", "count", "attempt", "pid", "late", "sampled", "size", "started_ns", "ended_ns"}
            numbers |= {"without_store", "live", "window", "before", "idle_since"}
            parameters = {key: 1 if key in numbers else "x" for key in for_postgresql(sql)[1]}
            with database.transaction() as tx:
                tx.all(name, **parameters)


def test_the_wal_stays_when_the_last_process_leaves_and_nothing_is_lost(tmp_path: Path) -> None:
    url, path = f"sqlite://{tmp_path}/tasks.db", tmp_path / "tasks.db"
    code = (
        "import sys; from agentos_otel.tasks.database import open_database\n"
        "with open_database(sys.argv[1], 5).transaction() as tx:\n"
        "    tx.run('add_session', session_id=sys.argv[2], at=1, metadata='{}')\n"
    )
    for name in ("first", "second"):
        subprocess.run([sys.executable, "-c", code, url, name], check=True)
        assert Path(f"{path}-wal").stat().st_size > 0, "written back each time, a command takes 30 ms longer"
    with closing(open_database(url, 5)) as one, closing(open_database(url, 5)) as other:
        for database in (one, other):
            with database.transaction(read=True) as tx:
                assert {row["session_id"] for row in tx.all("list_sessions", count=9)} == {"first", "second"}
        one.close()
        with other.transaction() as tx:
            tx.run("add_session", session_id="third", at=2, metadata="{}")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (3,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
