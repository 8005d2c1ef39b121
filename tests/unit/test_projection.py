"""The task store is told what it missed: in order, once whatever fails, and anew where it is another store."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentos_otel import bootstrap, guard, stage, task
from agentos_otel.journal.reader import parse, read_file
from agentos_otel.journal.record import ENDED_SPAN, STATEMENT
from agentos_otel.store.index import Index
from agentos_otel.tasks.database import open_database
from agentos_otel.tasks.operations import APPLY
from agentos_otel.tasks.store import TaskStore
from tests.unit.conftest import Recorder
from tests.unit.journals import end, said, span, trace, write


class Place:
    """A state directory whose journals are read into a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal_dir = folder / "journal"
        self.open()

    def open(self) -> None:
        self.store = TaskStore(open_database(f"sqlite:///{self.folder / 'tasks.db'}", 5))
        self.index = Index(self.folder / "index.db", self.journal_dir, self.store)

    def close(self) -> None:
        self.index.close()
        self.store.database.close()

    def again(self, *lost: str) -> None:
        """Open everything anew, after files were lost."""
        self.close()
        for name in lost:
            for path in self.folder.glob(f"{name}*"):
                path.unlink()
        self.open()
        self.index.catch_up()

    def tasks(self) -> dict[str, tuple[str, str]]:
        """Return (name, status) of each task."""
        filters = {"status": "", "session_id": "", "phase": "", "since": 0, "count": 1000}
        return {row["task_id"]: (row["name"], row["status"]) for row in self.store.rows("list_tasks", **filters)}

    def pending(self) -> int:
        return int(self.index.connection.execute("SELECT COUNT(*) FROM pending").fetchone()[0])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def born(number: int, at: int = 10) -> list[bytes]:
    task: dict[str, Any] = {"task_id": f"task{number}", "at": at, "owner_run": ""}
    return [
        said(op="task", name=f"n{number}", session_id="s", **task),
        said(op="attempt", attempt=1, trace_id=trace(number), root_span_id="0" * 16, root_name="task", **task),
    ]


def ended(number: int, at: int = 20) -> bytes:
    return said(op="end", task_id=f"task{number}", attempt=1, status="completed", run_id="r", at=at)


def test_what_runs_say_is_applied_in_the_order_of_its_time_whatever_file_is_read_first(place: Place) -> None:
    write(place.journal_dir, "a", ended(1))
    write(place.journal_dir, "b", *born(1))
    place.index.catch_up()
    assert place.tasks() == {"task1": ("n1", "completed")}
    assert place.pending() == 0


def test_agents_are_taken_from_their_spans(place: Place) -> None:
    values: dict[str, Any] = {"agentos.kind": "agent", "task_id": "task1", "gen_ai.agent.name": "planner"}
    write(place.journal_dir, "a", *born(1), span(trace(1), 7, **values), span(trace(1), 8, note="agent"))
    place.index.catch_up()
    assert json.loads(place.store.task("task1")["agent_ids"]) == ["planner"]


def test_what_is_newer_than_the_look_waits_for_the_next_reader(place: Place) -> None:
    later = time.time_ns() + 3600 * 10**9
    write(place.journal_dir, "a", *born(1, at=later))
    place.index.catch_up()
    assert (place.tasks(), place.pending()) == ({}, 2)
    place.index.catch_up()
    assert (list(place.tasks()), place.pending()) == (["task1"], 0)


def test_a_store_that_is_locked_is_told_by_the_next_reader(place: Place, tmp_path: Path) -> None:
    place.index.catch_up()
    write(place.journal_dir, "a", *born(1))
    holder = sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    hurried = TaskStore(open_database(f"sqlite:///{tmp_path / 'tasks.db'}", 0.05))
    impatient = Index(tmp_path / "index.db", place.journal_dir, hurried)
    impatient.catch_up()
    assert place.pending() == 2
    holder.execute("ROLLBACK")
    holder.close()
    place.index.catch_up()
    assert (list(place.tasks()), place.pending()) == (["task1"], 0)
    impatient.close()
    hurried.database.close()


@pytest.mark.parametrize(
    "spoilt",
    [
        {"op": "task", "at": 5},
        {"op": "refs", "task_id": "task1", "refs": 7, "at": 5},
        {"op": "refs", "task_id": "task1", "refs": [["kind", {"no": "text"}, "produced"]], "at": 5},
        {"op": "end", "task_id": "task1", "attempt": 1 << 90, "status": "completed", "at": 5},
        {"op": "commit", "task_id": "task1", "sha": None, "at": 5},
        {"op": "attempt", "task_id": "task1", "attempt": 2, "trace_id": "abc", "root_span_id": "0" * 16, "at": 5},
        {"op": "artifact", "task_id": "task1", "path": "p", "stage": "s", "span_id": 7, "at": 5},
    ],
)
def test_an_operation_that_can_never_be_applied_is_counted_and_stops_no_other(
    place: Place, spoilt: dict[str, Any]
) -> None:
    write(place.journal_dir, "a", said(**spoilt), *born(1), *born(2), ended(2))
    place.index.catch_up()
    assert place.tasks() == {"task1": ("n1", "created"), "task2": ("n2", "completed")}
    assert (place.index.all_losses()["damaged"], place.pending()) == (1, 0)


def test_what_a_run_says_it_told_this_store_is_not_told_again(place: Place) -> None:
    place.index.catch_up()
    told, elsewhere = said(op="told", store=place.store.identity()), said(op="told", store=1)
    write(place.journal_dir, "told", *born(1), told, ended(2))
    write(place.journal_dir, "other", *born(2), elsewhere)
    write(place.journal_dir, "slow", *born(3), said(op="lost", kind="dropped", traces={trace(3): 1}))
    place.index.catch_up()
    assert place.tasks() == {"task2": ("n2", "completed"), "task3": ("n3", "created")}
    write(place.journal_dir, "slow", said(op="delete", task_id="task3", at=30), told)
    place.index.catch_up()
    assert list(place.tasks()) == ["task2", "task3"]
    assert place.index.all_losses()["dropped"] == 1


@pytest.mark.parametrize("lost", [("index.db",), ("tasks.db",), ("index.db", "tasks.db")])
def test_whatever_database_is_lost_the_rows_come_back(place: Place, lost: tuple[str, ...]) -> None:
    place.index.catch_up()
    identity = place.store.identity()
    write(place.journal_dir, "a", *born(1), span(trace(1), 1), end("a"))
    write(place.journal_dir, "b", ended(1), *born(2), end("b"))
    place.index.catch_up()
    before = place.tasks()
    assert before == {"task1": ("n1", "completed"), "task2": ("n2", "created")}
    place.again(*lost)
    assert place.tasks() == before
    assert (place.store.identity() == identity) == ("tasks.db" not in lost)
    assert [record.field for record in place.index.trace_records(trace(1))] == [ENDED_SPAN]


def test_a_store_that_was_set_back_is_told_everything_on_request(place: Place, tmp_path: Path) -> None:
    place.index.catch_up()
    backup, store = (sqlite3.connect(tmp_path / name) for name in ("backup.db", "tasks.db"))
    store.backup(backup)
    told = said(op="told", store=place.store.identity())
    write(place.journal_dir, "a", *born(1), told, span(trace(1), 1))
    place.store.apply([json.loads(record.body) for record in parse(b"".join(born(1))).records])
    place.index.catch_up()
    assert list(place.tasks()) == ["task1"]
    backup.backup(store)
    place.index.catch_up()
    assert place.tasks() == {}
    assert place.index.rebuild() == 4
    assert list(place.tasks()) == ["task1"]
    assert len(list(place.index.trace_records(trace(1)))) == 1
    for connection in (backup, store):
        connection.close()


def test_many_operations_are_applied_in_parts(place: Place) -> None:
    for number in range(300):
        write(place.journal_dir, f"r{number % 3}", *born(number))
    place.index.catch_up()
    assert (len(place.tasks()), place.pending()) == (300, 0)


def work() -> None:
    with task("work"):
        step()


@stage("intent", produces={"intent_id": "result"})
def step() -> str:
    return "intent_abcdefgh"


def made_store(recorder: Recorder) -> int | None:
    """Make the tables, which on a busy machine may take longer than a traced program waits; returns the identity."""
    store = bootstrap.open_store(recorder.settings, 10)
    identity = store.identity()
    store.database.close()
    return identity


def statements(recorder: Recorder) -> list[dict[str, Any]]:
    (path,) = recorder.settings.journal_dir.rglob("*.otlp")
    return [json.loads(record.body) for record in read_file(path).records if record.field == STATEMENT]


def test_a_run_says_which_store_it_has_told_what_stands_before(recorder: Recorder) -> None:
    identity = made_store(recorder)
    work()
    space = recorder.workspace()
    said = statements(recorder)
    assert said[-1] == {"op": "told", "store": identity}
    assert sum(one["op"] in APPLY for one in said) > 5
    space.index.catch_up()
    assert space.index.connection.execute("SELECT COUNT(*) FROM pending").fetchone() == (0,)
    (row,) = space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=10)
    assert (row["status"], row["intent_id"]) == ("completed", "intent_abcdefgh")
    space.close()


def test_a_run_whose_store_failed_once_claims_nothing_from_then_on(recorder: Recorder) -> None:
    made_store(recorder)
    work()
    before = [one["op"] for one in statements(recorder)].count("told")
    holder = sqlite3.connect(recorder.settings.state_dir / "tasks.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    guard.raise_failures = False
    work()
    holder.execute("ROLLBACK")
    holder.close()
    work()
    assert [one["op"] for one in statements(recorder)].count("told") == before
    assert [found["task"]["status"] for found in recorder.documents()] == ["completed"] * 3
