"""What each operation of the journal does to the tables: applied in a transaction, twice the same as once.

The same operations are journaled first (field 12). What SQL could not take in time is applied later by the indexer, and
the tables can be rebuilt from the journals alone. So each operation comes here at least twice: `live`, from the process
that does it, and again as a replay. Among live ones the order of the transactions decides, since the clocks of two
hosts, or of one that was set back, say nothing of it; a replay changes only what it finds older than itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from agentos_otel.model import Operation
from agentos_otel.semconv import ID_COLUMNS
from agentos_otel.tasks.database import Transaction


def _session(tx: Transaction, op: Operation, live: bool) -> None:
    tx.run("add_session", session_id=op["session_id"], at=op["at"], metadata=json.dumps(op.get("metadata", {})))


def _task(tx: Transaction, op: Operation, live: bool) -> None:
    _session(tx, {"session_id": op["session_id"], "at": op["at"]}, live)
    tx.run(
        "add_task",
        task_id=op["task_id"],
        session_id=op["session_id"],
        name=op.get("name", ""),
        status=op.get("status", "created"),
        namespace=op.get("namespace", ""),
        owner_run=op.get("owner_run", ""),
        without_store=int(op.get("without_store", False)),
        at=op["at"],
        metadata=json.dumps(op.get("metadata", {})),
    )


def _attempt(tx: Transaction, op: Operation, live: bool) -> None:
    tx.run(
        "add_attempt",
        task_id=op["task_id"],
        attempt=op["attempt"],
        trace_id=op["trace_id"],
        root_span_id=op["root_span_id"],
        root_name=op["root_name"],
        owner_run=op.get("owner_run", ""),
        sampled=int(op.get("sampled", True)),
        links=json.dumps(op.get("links", [])),
        resource=json.dumps(op.get("resource", {})),
        root_parent_id=op.get("root_parent_id", ""),
        at=op["at"],
    )
    tx.run(
        "point_at_attempt",
        task_id=op["task_id"],
        attempt=op["attempt"],
        trace_id=op["trace_id"],
        owner_run=op.get("owner_run", ""),
        status=op.get("status", "created"),
        at=op["at"],
    )


def _join(tx: Transaction, op: Operation, live: bool) -> bool:
    """Write a run's part in an attempt; whether it comes late, after the root was written."""
    who = {key: op[key] for key in ("run_id", "task_id", "attempt", "at")}
    tx.run(
        "add_run",
        host=op.get("host", ""),
        pid=op.get("pid", 0),
        program=op.get("program", ""),
        late=int(op.get("late", False)),
        **who,
    )
    tx.run("rejoin_run", **who)
    if live:  # what it does it tells later, with the next change
        tx.run("resume_work", task_id=op["task_id"], attempt=op["attempt"], at=op["at"])
    return bool(tx.run("join_late", live=int(live), **who))


def _refs(tx: Transaction, op: Operation, live: bool) -> None:
    for kind, value, role in op["refs"]:
        added = tx.run(
            "add_ref",
            task_id=op["task_id"],
            kind=kind,
            value=value,
            role=role,
            stage=op.get("stage", ""),
            trace_id=op.get("trace_id"),
            span_id=op.get("span_id"),
            at=op["at"],
        )
        if kind in ID_COLUMNS and (live or added):
            tx.run(f"set_{kind}", task_id=op["task_id"], value=value, at=op["at"], live=int(live))


def _state(tx: Transaction, op: Operation, live: bool) -> None:
    """Move the task on, unless the row has this state or a later one of the same run.

    A replay counts for newer than the row if the run is still at work, or by the clock.
    """
    run = {"run_id": op.get("run_id", ""), "task_id": op["task_id"], "at": op["at"]}
    if tx.run("set_state", status=op["status"], phase=op.get("phase", ""), live=int(live), **run):
        tx.run("note_state", **run)


def _leave(tx: Transaction, op: Operation, live: bool) -> None:
    who = {key: op[key] for key in ("run_id", "task_id", "attempt", "at")}
    if tx.run("leave_run", **who):
        if not live:
            tx.run("left_late", **who)
        tx.run("set_waiting", task_id=op["task_id"], attempt=op["attempt"], at=op["at"])


def _run_end(tx: Transaction, op: Operation, live: bool) -> None:
    """Leave what a run has not said that it left: it joined as the fork of another, or its last change was lost."""
    if op.get("run_id"):
        for part in tx.all("parts_of_run", run_id=op["run_id"]):
            _leave(tx, {**part, "run_id": op["run_id"], "at": op["at"]}, live)


def _end(tx: Transaction, op: Operation, live: bool) -> bool | None:
    """End an attempt; whether it is this run that has ended it, None if the attempt is not known here yet."""
    ended = {key: op[key] for key in ("task_id", "attempt", "status", "at")}
    ended["error_type"] = op.get("error_type")
    run_id = op.get("run_id", "")
    claimed = tx.run("end_attempt", run_id=run_id, **ended)
    if claimed:
        tx.run("end_task", **ended)
        tx.run("stay_late", task_id=op["task_id"], attempt=op["attempt"], run_id=run_id)
        return True
    row = tx.one("get_attempt", task_id=op["task_id"], attempt=op["attempt"])
    return None if row is None else bool(row["ended_by"] == run_id)


def _agent(tx: Transaction, op: Operation, live: bool) -> None:
    keys = ("task_id", "trace_id", "span_id", "name", "status", "started_ns", "ended_ns")
    tx.run("add_agent", **{key: op[key] for key in keys})
    names = [row["name"] for row in tx.all("agent_names", task_id=op["task_id"])]
    tx.run("set_agent_ids", task_id=op["task_id"], agent_ids=json.dumps(names))


def _artifact(tx: Transaction, op: Operation, live: bool) -> None:
    keys = ("task_id", "path", "stage", "size", "sha256", "span_id", "at")
    tx.run("add_artifact", **{key: op.get(key) for key in keys})


def _commit(tx: Transaction, op: Operation, live: bool) -> None:
    keys = ("task_id", "sha", "repository", "branch", "trace_id", "span_id", "at")
    if tx.run("add_commit", **{key: op.get(key) for key in keys}):
        tx.run("set_commit_hash", task_id=op["task_id"], sha=op["sha"], at=op["at"])


def _rewrite(tx: Transaction, op: Operation, live: bool) -> None:
    if tx.run("rewrite_commit", task_id=op["task_id"], sha=op["sha"], new_sha=op["new_sha"]):
        _commit(tx, {**op, "sha": op["new_sha"]}, live)
        # A hook's time has whole seconds: the commit that was replaced may look like the later one.
        tx.run("follow_rewrite", task_id=op["task_id"], sha=op["sha"], new_sha=op["new_sha"])


def _update(tx: Transaction, op: Operation, live: bool) -> None:
    _session(tx, op, live)
    tx.run(
        "update_task",
        task_id=op["task_id"],
        name=op["name"],
        session_id=op["session_id"],
        metadata=json.dumps(op["metadata"]),
        at=op["at"],
        live=int(live),
    )


def _take_session(tx: Transaction, op: Operation, live: bool) -> None:
    _session(tx, {"session_id": op["session_id"], "at": op["at"]}, live)
    tx.run("take_session", task_id=op["task_id"], session_id=op["session_id"], made_up=op["made_up"])


def _delete(tx: Transaction, op: Operation, live: bool) -> None:
    tx.run("delete_task", task_id=op["task_id"], at=op["at"])


def _merge(tx: Transaction, op: Operation, live: bool) -> bool:
    merged = tx.run("merge_task", task_id=op["task_id"], target=op["target"])
    if merged:
        tx.run("follow_merge", task_id=op["task_id"], target=op["target"])
    return bool(merged)


def _split(tx: Transaction, op: Operation, live: bool) -> None:
    tx.run("split_task", task_id=op["task_id"])


APPLY: Final[dict[str, Callable[[Transaction, Operation, bool], bool | None]]] = {
    "session": _session,
    "task": _task,
    "attempt": _attempt,
    "join": _join,
    "refs": _refs,
    "state": _state,
    "leave": _leave,
    "run_end": _run_end,
    "end": _end,
    "agent": _agent,
    "artifact": _artifact,
    "commit": _commit,
    "rewrite": _rewrite,
    "update": _update,
    "take_session": _take_session,
    "delete": _delete,
    "merge": _merge,
    "split": _split,
}
"""What each operation does; other statements of the journal are not for the task store."""
