"""Tasks and sessions by the public API, on SQLite and PostgreSQL; and closing and erasing from the shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentos_otel import Session, Task, TaskManager
from agentos_otel.errors import AmbiguousError, NotFoundError, TransitionError


@pytest.fixture
def home(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("AGENTOS_OTEL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AGENTOS_OTEL_DATABASE_URL", database_url)
    return tmp_path


def traced(home: Path, code: str) -> None:
    program = home / "program.py"
    program.write_text("from agentos_otel import *\n" + code)
    subprocess.run([sys.executable, str(program)], env=dict(os.environ), cwd=home, check=True)


def shell(*arguments: str) -> str:
    command = [sys.executable, "-m", "agentos_otel", *arguments]
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=True).stdout


def test_a_task_is_created_read_changed_listed_and_deleted(home: Path) -> None:
    made = Task.create("rename", session_id="chat-1", metadata={"asked": "by mail"})
    assert Task.get(made.task_id) == made
    assert Task.get(made.task_id[:6]) == made
    assert (made.status, made.session_id, made.metadata) == ("created", "chat-1", {"asked": "by mail"})
    changed = made.update(status="executing", name="rename all")
    assert (changed.status, changed.name, changed.metadata) == ("executing", "rename all", made.metadata)
    other = Task.create("other")
    assert [task.task_id for task in TaskManager().list()] == [other.task_id, made.task_id]
    assert [task.task_id for task in TaskManager().list(status="executing")] == [made.task_id]
    assert [task.task_id for task in TaskManager().list(session_id="chat-1")] == [made.task_id]
    TaskManager().delete(made.task_id)
    with pytest.raises(NotFoundError):
        Task.get(made.task_id)


def test_a_wrong_transition_is_refused_and_says_what_is_possible(home: Path) -> None:
    made = Task.create("rename")
    done = made.update(status="completed")
    assert done.ended_ns is not None
    with pytest.raises(TransitionError, match="new attempt"):
        made.update(status="executing")
    spans = made.get_full_trace()["spans"]
    assert [(span["name"], span["status"]) for span in spans] == [("task rename", "ok")]


def test_a_session_has_its_tasks_turn_by_turn(home: Path) -> None:
    session = Session.create("chat-2", {"user": "someone"})
    assert Session.get("chat-2") == session
    first, second = Task.create("one", "chat-2"), Task.create("two", "chat-2")
    assert [task.task_id for task in session.get_tasks()] == [first.task_id, second.task_id]
    with pytest.raises(NotFoundError):
        Session.get("nobody")


def test_an_id_that_several_tasks_have_is_ambiguous_and_find_lists_them_all(home: Path) -> None:
    traced(home, 'for n in range(2):\n    with task("t") as t: t.ref("ticket", "ticket-1234")\n')
    with pytest.raises(AmbiguousError, match="2 tasks"):
        Task.get("ticket-1234")
    assert len(shell("find", "ticket-1234").splitlines()) == 2


def test_artifacts_come_by_phase_with_their_state_now(home: Path) -> None:
    for name in ("same", "grown", "gone"):
        (home / name).write_text("content")
    traced(
        home,
        f"""
with task("t"), stage("execution") as here:
    for name in ("same", "grown", "gone"): here.artifact("{home}/" + name)
""",
    )
    (home / "grown").write_text("more content")
    (home / "gone").unlink()
    (made,) = TaskManager().list()
    found = made.get_phase_artifacts()["execution"]
    assert {Path(item["path"]).name: item["state"] for item in found} == {
        "same": "present", "grown": "changed", "gone": "missing",
    }  # fmt: skip


def test_a_span_id_and_a_trace_id_find_their_task(home: Path) -> None:
    traced(home, "@tool\ndef read(): pass\nwith task('t'): read()\n")
    (made,) = TaskManager().list()
    for span in made.get_full_trace()["spans"]:
        assert Task.get(span["span_id"]).task_id == made.task_id
        assert Task.get(span["trace_id"][:8]).task_id == made.task_id


def test_a_waiting_task_is_closed_by_hand_and_gets_its_root(home: Path) -> None:
    traced(home, "@stage('intent', begins=True)\ndef intent(): pass\nintent()\n")
    (made,) = TaskManager().list()
    assert made.status == "waiting"
    closed = json.loads(shell("task", "close", made.task_id, "--status", "cancelled", "--json"))
    assert closed == {"schema_version": 1, "task_id": made.task_id, "status": "cancelled"}
    document = json.loads(shell("task", "show", made.task_id, "--json"))
    assert document["task"]["status"] == "cancelled"
    assert [span["status"] for span in document["spans"]] == ["cancelled", "ok"]


def test_an_erased_task_is_gone_from_every_file(home: Path) -> None:
    code = "@tool(capture=True)\ndef read(text): pass\nwith task('t') as t:\n    t.ref('k', 'plantedid')\n"
    traced(home, code + "    read('plantedtext')\n")
    (made,) = TaskManager().list()
    erased = json.loads(shell("task", "erase", made.task_id, "--yes", "--json"))
    assert erased["records"] > 2
    assert erased["copies"] == []
    assert TaskManager().list() == []
    for path in (home / "state").rglob("*.otlp"):
        assert b"planted" not in path.read_bytes()
    assert "no tasks" in shell("task", "list")
