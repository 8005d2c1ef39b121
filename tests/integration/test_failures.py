"""What breaks around the traced program costs it little, once, and loses nothing."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import json, logging, os, sys, time
logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
from agentos_otel import stage, task
import agentos_otel.bootstrap, agentos_otel.tasks.store, agentos_otel.tasks.sqlite, agentos_otel.tasks.postgresql
try:
    import psycopg
except ImportError:
    pass

@stage("intent", produces={"intent_id": "result"})
def intent(): return "intent_abcdefgh"

@task("work")
def work():
    intent()
    intent()
    return 42

if "DROP_TO" in os.environ:
    os.setuid(int(os.environ["DROP_TO"]))  # only here: the interpreter itself may lie where that user cannot read
began = time.perf_counter()
assert work() == 42
print(json.dumps({"seconds": time.perf_counter() - began}))
"""


def run(tmp_path: Path, environ: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    full = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environ}
    done = subprocess.run(
        [sys.executable, str(program)],
        env=full, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), [line for line in done.stderr.splitlines() if line]


def tasks(tmp_path: Path, **environ: str) -> list[dict[str, Any]]:
    full = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environ}
    command = [sys.executable, "-m", "agentos_otel", "task", "list", "--json"]
    done = subprocess.run(command, env=full, capture_output=True, text=True, check=True, timeout=60)
    found: list[dict[str, Any]] = json.loads(done.stdout)["tasks"]
    return found


def test_a_postgresql_that_never_answers_delays_once_warns_once_and_the_run_is_found_later(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql://user@127.0.0.1:{server.getsockname()[1]}/db"
        took, warnings = run(tmp_path, {"AGENTOS_OTEL_STATE_DIR": state, "AGENTOS_OTEL_DATABASE_URL": url})
    assert len(warnings) == 1, warnings
    assert took["seconds"] < 2, "one wait of 250 ms and the work, with room for a slow machine"
    (task,) = tasks(tmp_path, AGENTOS_OTEL_STATE_DIR=state)
    assert (task["status"], task["intent_id"]) == ("completed", "intent_abcdefgh")


ON_A_LOOP = """
import asyncio, json, time
from agentos_otel import stage, task
import agentos_otel.bootstrap, agentos_otel.tasks.store, agentos_otel.tasks.postgresql, psycopg

@stage("intent", produces={"intent_id": "result"})
async def intent(): return "intent_abcdefgh"

async def ticks(gaps):
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        gaps.append(time.perf_counter() - began)

@task("work")
async def work():
    for _ in range(10):
        await intent()
        await asyncio.sleep(0.02)

async def main():
    gaps = []
    ticker = asyncio.create_task(ticks(gaps))
    await asyncio.sleep(0)
    await work()
    ticker.cancel()
    print(json.dumps(max(gaps)))
asyncio.run(main())
"""


def test_an_event_loop_is_blocked_once_at_most_by_a_silent_database(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(ON_A_LOOP)
    state = str(tmp_path / "state")
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql://user@127.0.0.1:{server.getsockname()[1]}/db"
        environ = {"AGENTOS_OTEL_STATE_DIR": state, "AGENTOS_OTEL_DATABASE_URL": url}
        done = subprocess.run(
            [sys.executable, "program.py"], env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environ},
            cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
    assert json.loads(done.stdout) < 2, "one wait of 250 ms, with room for a slow machine; without a breaker ten"
    (task,) = tasks(tmp_path, AGENTOS_OTEL_STATE_DIR=state)
    assert (task["status"], task["intent_id"]) == ("completed", "intent_abcdefgh")


def test_a_locked_sqlite_delays_once_warns_once_and_the_run_is_found_later(tmp_path: Path) -> None:
    state = tmp_path / "state"
    run(tmp_path, {"AGENTOS_OTEL_STATE_DIR": str(state)})
    holder = sqlite3.connect(state / "tasks.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    took, warnings = run(tmp_path, {"AGENTOS_OTEL_STATE_DIR": str(state)})
    holder.execute("ROLLBACK")
    holder.close()
    assert len(warnings) == 1, warnings
    assert took["seconds"] < 2
    assert [task["status"] for task in tasks(tmp_path, AGENTOS_OTEL_STATE_DIR=str(state))] == ["completed"] * 2


@pytest.mark.skipif(os.getuid() != 0, reason="drops to another user, which only root may")
def test_an_unwritable_state_directory_leaves_the_program_as_it_is(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    _, warnings = run(tmp_path, {"AGENTOS_OTEL_STATE_DIR": str(locked / "state"), "DROP_TO": "65534"})
    assert len(warnings) == 1, warnings
    assert not list(locked.iterdir())


@pytest.mark.skipif(os.getuid() != 0, reason="drops to another user, which only root may")
def test_a_journal_directory_that_belongs_to_another_user_is_left_alone(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as shared:  # tmp_path lies below a folder that is root's alone
        folder = Path(shared, "state/journal/live")
        folder.mkdir(parents=True)
        for path in (Path(shared), *folder.parents[:2], folder):
            path.chmod(0o777)
            os.chown(path, 65533, -1)
        _, warnings = run(tmp_path, {"AGENTOS_OTEL_STATE_DIR": f"{shared}/state", "DROP_TO": "65534"})
        assert [line for line in warnings if "belongs to another user" in line], warnings
        assert not list(folder.rglob("*.otlp"))


@pytest.mark.parametrize("variable", ["AGENTOS_OTEL_DISABLED", "OTEL_SDK_DISABLED"])
def test_switched_off_nothing_is_written(tmp_path: Path, variable: str) -> None:
    run(tmp_path, {"AGENTOS_OTEL_STATE_DIR": str(tmp_path / "state"), variable: "true"})
    assert not (tmp_path / "state").exists()


def test_files_are_for_the_user_alone(tmp_path: Path) -> None:
    run(tmp_path, {"AGENTOS_OTEL_STATE_DIR": str(tmp_path / "state")})
    tasks(tmp_path, AGENTOS_OTEL_STATE_DIR=str(tmp_path / "state"))
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert files
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


BROKEN_MAP = '[[point]]\ntarget = "a.b:c"\nkind = "stagee"\n'


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["task", "show", "nothing-has-this"], "no task has the id"),
        (["task", "show", "abc"], "too short"),
        (["find", "nothing-has-this"], "no task has the id"),
        (["session", "show", "nobody"], "no session"),
        (["run", "--map", "MAP", "--", "true"], "map.toml:1: key 'name'"),
        (["run", "--", "no-such-command-anywhere"], "no command"),
        (["run", "--task", "nothing-has-this", "--", "true"], "no task has the id"),
        (["task", "list", "--count", "x"], "--count"),
        (["nonsense"], "nonsense"),
    ],
)
def test_what_the_user_got_wrong_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], says: str) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AGENTOS_OTEL_STATE_DIR": str(tmp_path / "state")}
    run(tmp_path, environ)
    (tmp_path / "map.toml").write_text(BROKEN_MAP)
    arguments = [str(tmp_path / "map.toml") if argument == "MAP" else argument for argument in arguments]
    command = [sys.executable, "-m", "agentos_otel", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert says in done.stderr


@pytest.mark.parametrize(("file", "says"), [("tasks.db", "newer"), ("index.db", "newer")])
def test_a_newer_database_is_refused_with_a_clear_line(tmp_path: Path, file: str, says: str) -> None:
    state = tmp_path / "state"
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AGENTOS_OTEL_STATE_DIR": str(state)}
    run(tmp_path, environ)
    tasks(tmp_path, **environ)
    database = sqlite3.connect(state / file)
    database.execute("PRAGMA user_version = 99")
    if file == "tasks.db":
        database.execute("INSERT INTO schema_migrations VALUES (99, 'later', 0)")
    database.commit()
    database.close()
    command = [sys.executable, "-m", "agentos_otel", "task", "list"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_deleted_databases_are_rebuilt_from_the_journals(tmp_path: Path) -> None:
    state = tmp_path / "state"
    run(tmp_path, {"AGENTOS_OTEL_STATE_DIR": str(state)})
    before = tasks(tmp_path, AGENTOS_OTEL_STATE_DIR=str(state))
    for path in state.glob("*.db*"):
        path.unlink()
    assert tasks(tmp_path, AGENTOS_OTEL_STATE_DIR=str(state)) == before
