"""What the task store makes of operations: in any order of clocks, once or twice, from the process or its journal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from agentos_otel.tasks.database import open_database
from agentos_otel.tasks.store import TaskStore

TEN_MINUTES = 600 * 10**9


@pytest.fixture
def store(database_url: str) -> Iterator[TaskStore]:
    made = TaskStore(open_database(database_url, 20))
    yield made
    made.database.close()


def birth(run_id: str, at: int, owner: str = "") -> list[dict[str, Any]]:
    common = {"task_id": "t1", "at": at, "owner_run": owner}
    ids = {"trace_id": "a" * 32, "root_span_id": "b" * 16, "root_name": "task t"}
    return [
        {**common, "op": "task", "session_id": "s1", "name": "t"},
        {**common, **ids, "op": "attempt", "attempt": 1},
        join(run_id, at),
    ]


def join(run_id: str, at: int) -> dict[str, Any]:
    return {"op": "join", "run_id": run_id, "task_id": "t1", "attempt": 1, "host": f"host of {run_id}", "at": at}


def leave(run_id: str, at: int) -> dict[str, Any]:
    return {"op": "leave", "run_id": run_id, "task_id": "t1", "attempt": 1, "at": at}


def state(run_id: str, status: str, at: int, phase: str = "") -> dict[str, Any]:
    return {"op": "state", "run_id": run_id, "task_id": "t1", "status": status, "phase": phase, "at": at}


def end(run_id: str, at: int) -> dict[str, Any]:
    return {"op": "end", "run_id": run_id, "task_id": "t1", "attempt": 1, "status": "completed", "at": at}


def refs(value: str, at: int) -> dict[str, Any]:
    return {"op": "refs", "task_id": "t1", "refs": [("intent_id", value, "produced")], "stage": "intent", "at": at}


AHEAD = [
    *birth("a", 10 * TEN_MINUTES),
    state("a", "planning", 10 * TEN_MINUTES + 1, "intent"),
    refs("intent_first", 10 * TEN_MINUTES + 2),
    leave("a", 10 * TEN_MINUTES + 3),
]
BEHIND = [
    join("b", 9 * TEN_MINUTES),
    state("b", "executing", 9 * TEN_MINUTES + 1, "execution"),
    refs("intent_second", 9 * TEN_MINUTES + 2),
]


def test_a_run_whose_clock_is_ten_minutes_behind_moves_the_task_on(store: TaskStore) -> None:
    for operation in AHEAD + BEHIND:
        store.apply([operation], live=True)
    row = store.task("t1")
    assert (row["status"], row["phase"], row["intent_id"]) == ("executing", "execution", "intent_second")
    store.apply([leave("b", 9 * TEN_MINUTES + 3)], live=True)
    assert store.task("t1")["status"] == "waiting"


def test_a_state_that_the_journal_tells_before_the_process_does_counts_while_the_run_is_at_work(
    store: TaskStore,
) -> None:
    store.apply(AHEAD, live=True)
    store.apply(BEHIND[:1], live=True)
    assert store.task("t1")["status"] == "executing"  # whoever joins works, whatever it is that it does
    store.apply([state("b", "planning", 9 * TEN_MINUTES + 1, "coordination")])
    assert (store.task("t1")["status"], store.task("t1")["phase"]) == ("planning", "coordination")
    store.apply(
        [state("b", "planning", 9 * TEN_MINUTES + 1, "coordination"), leave("b", 9 * TEN_MINUTES + 2)], live=True
    )
    assert store.task("t1")["status"] == "waiting"


def test_a_state_that_was_never_told_does_not_bring_back_what_others_have_left(store: TaskStore) -> None:
    store.apply([*birth("a", 1), join("b", 2), leave("a", 4), leave("b", 5)], live=True)
    store.apply([state("a", "executing", 3)])
    assert store.task("t1")["status"] == "waiting"


def test_a_replay_of_either_journal_in_any_order_changes_nothing(store: TaskStore) -> None:
    done = [*AHEAD, *BEHIND, end("b", 9 * TEN_MINUTES + 4), leave("b", 9 * TEN_MINUTES + 5)]
    for count in range(3, len(done) + 1):
        store.apply(done[:count], live=True)
        before = [store.rows(query, task_id="t1") for query in ("get_task", "list_attempts", "list_runs", "list_refs")]
        for order in itertools.permutations((AHEAD[:count], done[len(AHEAD) : count])):
            for journal in order:
                store.apply(journal)
                tables = ("get_task", "list_attempts", "list_runs", "list_refs")
                assert [store.rows(query, task_id="t1") for query in tables] == before


def test_a_task_never_ends_before_it_began_whatever_the_clock_of_who_ends_it(store: TaskStore) -> None:
    store.apply([*birth("a", 10 * TEN_MINUTES), end("b", 9 * TEN_MINUTES)], live=True)
    (attempt,) = store.rows("list_attempts", task_id="t1")
    assert attempt["started_ns"] == attempt["ended_ns"] == store.task("t1")["ended_ns"]


def test_the_end_is_claimed_once_and_the_claimant_may_ask_again(store: TaskStore) -> None:
    assert store.apply([end("a", 5)], live=True) == [None]  # its birth has not come here yet
    store.apply(birth("a", 1), live=True)
    assert store.apply([end("a", 5)], live=True) == [True]
    assert store.apply([end("b", 6)], live=True) == [False]
    assert store.apply([end("a", 5)]) == [True]


def test_a_run_is_late_if_it_joins_after_the_end_or_has_not_left_by_then(store: TaskStore) -> None:
    store.apply([*birth("a", 1), join("b", 2), join("c", 3), leave("b", 4)], live=True)
    assert store.apply([end("a", 5), join("d", 0)], live=True) == [True, True]
    store.apply([leave("c", 9), leave("a", 6)], live=True)
    assert {run["run_id"]: run["late"] for run in store.rows("list_runs", task_id="t1")} == {
        "a": 0, "b": 0, "c": 1, "d": 1,
    }  # fmt: skip


def test_the_end_of_a_run_leaves_what_it_has_not_said_that_it_left(store: TaskStore) -> None:
    store.apply(birth("a", 1), live=True)
    store.apply([{"op": "run_end", "run_id": "a", "at": 7}])
    assert store.rows("list_runs", task_id="t1")[0]["left_ns"] == 7
    assert store.task("t1")["status"] == "waiting"


def test_an_older_commit_that_is_told_later_is_not_the_latest(store: TaskStore) -> None:
    commit = {"op": "commit", "task_id": "t1", "repository": "r", "branch": "main"}
    store.apply([*birth("a", 1), {**commit, "sha": "new", "at": 9}], live=True)
    store.apply([{**commit, "sha": "old", "at": 5}])
    assert store.task("t1")["commit_hash"] == "new"


def test_a_merge_takes_along_what_was_merged_before_and_a_split_is_final(store: TaskStore) -> None:
    for task_id in ("t1", "t2", "t3"):
        birth = {"op": "task", "task_id": task_id, "session_id": "s1", "name": "t", "without_store": True, "at": 1}
        store.apply([birth], live=True)
    merges = [{"op": "merge", "task_id": "t3", "target": "t2"}, {"op": "merge", "task_id": "t2", "target": "t1"}]
    assert store.apply(merges, live=True) == [True, True]
    assert {store.task(task_id)["merged_into"] for task_id in ("t2", "t3")} == {"t1"}
    assert [row["task_id"] for row in store.rows("merged_from", task_id="t1")] == ["t2", "t3"]
    assert [row["task_id"] for row in store.rows("find_merged", low="t2", high="t2\uffff")] == ["t2"]
    assert [hit["task_id"] for hit in store.find("t3")] == ["t1"]
    store.apply([{"op": "split", "task_id": "t2"}], live=True)
    assert store.apply(merges) == [False, False]  # the index tells it again, and it is no news
    assert store.task("t2")["merged_into"] is None
    listed = store.rows("list_tasks", status="", session_id="", phase="", since=0, count=10)
    assert [row["task_id"] for row in listed] == ["t1", "t2"]
    assert [row["tasks"] for row in store.rows("list_sessions", count=10)] == [2]
