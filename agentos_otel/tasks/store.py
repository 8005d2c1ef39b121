"""The task store: operations as data, applied to SQL so that applying one twice changes nothing.

The same operations are journaled first (field 12). What SQL could not take in time is applied later by the indexer, and
the tables can be rebuilt from the journals alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from agentos_otel.errors import NotFoundError
from agentos_otel.model import Operation
from agentos_otel.semconv import ID_COLUMNS
from agentos_otel.tasks.database import Database, Row, Transaction


def _session(tx: Transaction, op: Operation) -> None:
    tx.run("add_session", session_id=op["session_id"], at=op["at"], metadata=json.dumps(op.get("metadata", {})))


def _task(tx: Transaction, op: Operation) -> None:
    _session(tx, {"session_id": op["session_id"], "at": op["at"]})
    tx.run(
        "add_task",
        task_id=op["task_id"],
        session_id=op["session_id"],
        name=op.get("name", ""),
        status=op.get("status", "created"),
        namespace=op.get("namespace", ""),
        owner_run=op.get("owner_run", ""),
        at=op["at"],
        metadata=json.dumps(op.get("metadata", {})),
    )


def _attempt(tx: Transaction, op: Operation) -> None:
    tx.run(
        "add_attempt",
        task_id=op["task_id"],
        attempt=op["attempt"],
        trace_id=op["trace_id"],
        root_span_id=op["root_span_id"],
        root_name=op["root_name"],
        owner_run=op.get("owner_run", ""),
        sampled=int(op.get("sampled", True)),
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


def _join(tx: Transaction, op: Operation) -> None:
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


def _refs(tx: Transaction, op: Operation) -> None:
    for kind, value, role in op["refs"]:
        tx.run(
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
        if kind in ID_COLUMNS:
            tx.run(f"set_{kind}", task_id=op["task_id"], value=value)


def _state(tx: Transaction, op: Operation) -> None:
    tx.run("set_state", task_id=op["task_id"], status=op["status"], phase=op.get("phase", ""), at=op["at"])


def _leave(tx: Transaction, op: Operation) -> None:
    tx.run("leave_run", run_id=op["run_id"], task_id=op["task_id"], attempt=op["attempt"], at=op["at"])
    tx.run("set_waiting", task_id=op["task_id"], attempt=op["attempt"], at=op["at"])


def _end(tx: Transaction, op: Operation) -> bool:
    ended = {key: op[key] for key in ("task_id", "attempt", "status", "at")}
    ended["error_type"] = op.get("error_type")
    claimed = tx.run("end_attempt", run_id=op.get("run_id", ""), **ended)
    if claimed:
        tx.run("end_task", **ended)
    return bool(claimed)


def _agent(tx: Transaction, op: Operation) -> None:
    keys = ("task_id", "trace_id", "span_id", "name", "status", "started_ns", "ended_ns")
    tx.run("add_agent", **{key: op[key] for key in keys})
    names = [row["name"] for row in tx.all("agent_names", task_id=op["task_id"])]
    tx.run("set_agent_ids", task_id=op["task_id"], agent_ids=json.dumps(names))


def _artifact(tx: Transaction, op: Operation) -> None:
    keys = ("task_id", "path", "stage", "size", "sha256", "span_id", "at")
    tx.run("add_artifact", **{key: op.get(key) for key in keys})


def _commit(tx: Transaction, op: Operation) -> None:
    keys = ("task_id", "sha", "repository", "branch", "trace_id", "span_id", "at")
    if tx.run("add_commit", **{key: op.get(key) for key in keys}):
        tx.run("set_commit_hash", task_id=op["task_id"], sha=op["sha"], at=op["at"])


def _rewrite(tx: Transaction, op: Operation) -> None:
    if tx.run("rewrite_commit", task_id=op["task_id"], sha=op["sha"], new_sha=op["new_sha"]):
        _commit(tx, {**op, "sha": op["new_sha"]})


def _update(tx: Transaction, op: Operation) -> None:
    _session(tx, op)
    tx.run(
        "update_task",
        task_id=op["task_id"],
        name=op["name"],
        session_id=op["session_id"],
        metadata=json.dumps(op["metadata"]),
        at=op["at"],
    )


def _delete(tx: Transaction, op: Operation) -> None:
    tx.run("delete_task", task_id=op["task_id"], at=op["at"])


APPLY: Final[dict[str, Callable[[Transaction, Operation], bool | None]]] = {
    "session": _session,
    "task": _task,
    "attempt": _attempt,
    "join": _join,
    "refs": _refs,
    "state": _state,
    "leave": _leave,
    "end": _end,
    "agent": _agent,
    "artifact": _artifact,
    "commit": _commit,
    "rewrite": _rewrite,
    "update": _update,
    "delete": _delete,
}
"""What each operation does; other statements of the journal are not for the task store."""


class TaskStore:
    """Tasks, sessions, attempts, runs and ids, by intent.

    Args:
        database: Where the tables are.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def apply(self, operations: Iterable[Operation], timeout: float | None = None) -> list[bool | None]:
        """Apply `operations` in one transaction; an `end` says whether it won the claim.

        Raises:
            StorageError: The database failed or did not answer in `timeout` seconds.
        """
        with self.database.transaction(timeout=timeout) as tx:
            return [APPLY[op["op"]](tx, op) for op in operations]

    def join_or_bear(
        self,
        ids: Sequence[str],
        namespace: str,
        since: int,
        bear: Callable[[Row | None], Sequence[Operation]],
        timeout: float | None = None,
    ) -> Row | None:
        """Find the task that one of `ids` adopts into, or let it be born, in one transaction.

        Without the lock over the sorted ids 50 of 50 racing births were doubled on PostgreSQL.

        Args:
            ids: Ids of the point in the map's order; the first with exactly one candidate decides.
            namespace: The repository's common git directory; empty matches any.
            since: A task that ended before this time (Unix ns) is not resumed by an id.
            bear: Called inside the transaction with the row of the adopting task (None at a birth); returns the
                operations to apply with it. It journals before it returns.
            timeout: Seconds for all of it; None takes the database's own.

        Returns:
            The adopting task's row joined with its latest attempt's, or None if a task was born.
        """
        with self.database.transaction(locks=sorted(ids), timeout=timeout) as tx:
            found = None
            for value in ids:
                rows = tx.all("joinable", value=value, namespace=namespace, since=since)
                candidates = {row["task_id"] for row in rows}
                if len(candidates) == 1:
                    found = self._with_attempt(tx, candidates.pop())
                    break
            for op in bear(found):
                APPLY[op["op"]](tx, op)
            return found

    @staticmethod
    def _with_attempt(tx: Transaction, task_id: str) -> Row | None:
        task = tx.one("get_task", task_id=task_id)
        if task is None:
            return None
        attempt = tx.one("get_attempt", task_id=task_id, attempt=task["attempt"]) or {}
        return {**task, **{f"attempt_{key}": value for key, value in attempt.items()}}

    def latest(self, task_id: str, timeout: float | None = None) -> Row | None:
        """Return the row of a task with its latest attempt's columns as `attempt_…`, or None."""
        with self.database.transaction(timeout=timeout, read=True) as tx:
            return self._with_attempt(tx, task_id)

    def rows(self, query: str, **parameters: Any) -> list[Row]:
        """Return the rows of a named reading query."""
        with self.database.transaction(read=True) as tx:
            return tx.all(query, **parameters)

    def task(self, task_id: str) -> Row:
        """Return the row of a task.

        Raises:
            NotFoundError: There is no such task.
        """
        rows = self.rows("get_task", task_id=task_id)
        if not rows:
            raise NotFoundError(f"no task {task_id!r}: `agentos-otel task list` shows those there are")
        return rows[0]

    def find(self, prefix: str) -> list[Row]:
        """Return `task_id, what, value` of every id that begins with `prefix`."""
        return self.rows("find_ids", low=prefix, high=prefix + "\uffff")
