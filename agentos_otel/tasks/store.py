"""The task store: tasks, sessions, attempts, runs and ids in SQL, by intent; operations are data (`operations`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from agentos_otel.errors import NotFoundError
from agentos_otel.model import Operation
from agentos_otel.tasks.database import Database, Row, Transaction
from agentos_otel.tasks.operations import APPLY


class TaskStore:
    """Tasks, sessions, attempts, runs and ids, by intent.

    Args:
        database: Where the tables are.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def apply(
        self, operations: Iterable[Operation], timeout: float | None = None, *, live: bool = False
    ) -> list[bool | None]:
        """Apply `operations` in one transaction; an `end` says whether it won the claim, a `join` whether it is late.

        Args:
            operations: What to apply, in order; what is not for the task store is left out by the caller.
            timeout: Seconds for all of it; None takes the database's own.
            live: They come from the process that does them, now; False for a replay from its journal.

        Raises:
            StorageError: The database failed or did not answer in `timeout` seconds.
        """
        with self.database.transaction(timeout=timeout) as tx:
            return [APPLY[op["op"]](tx, op, live) for op in operations]

    def join_or_bear(
        self,
        ids: Sequence[str],
        namespace: str,
        since: int,
        bear: Callable[[Row | None, str], Sequence[Operation]],
        timeout: float | None = None,
        key: str = "",
    ) -> Row | None:
        """Find the task that one of `ids` adopts into, or let it be born, in one transaction.

        Without the lock over the sorted ids 50 of 50 racing births were doubled on PostgreSQL.

        Args:
            ids: Ids of the point in the map's order; the first with exactly one candidate decides.
            namespace: The repository's common git directory; empty matches any.
            since: A task that ended before this time (Unix ns) is not resumed by an id.
            bear: Called inside the transaction with the row of the adopting task (None at a birth) and with `key` if
                no task has it; returns the operations to apply. It journals before it returns.
            timeout: Seconds for all of it; None takes the database's own.
            key: Key that a task that is born here is to have.

        Returns:
            The adopting task's row joined with its latest attempt's, or None if a task was born.
        """
        with self.database.transaction(locks=sorted(ids), timeout=timeout) as tx:
            found = None
            for value in ids:
                rows = tx.all("joinable", value=value, namespace=namespace, since=since)
                candidates = {row["task_id"] for row in rows}
                if value in candidates:  # the key itself: a task of this name is nobody else's
                    candidates = {value}
                if len(candidates) == 1:
                    found = self._with_attempt(tx, candidates.pop())
                    break
            free = key if key and tx.one("get_any_task", task_id=key) is None else ""
            for op in bear(found, free):
                APPLY[op["op"]](tx, op, True)
            return found

    @staticmethod
    def _with_attempt(tx: Transaction, task_id: str) -> Row | None:
        task = tx.one("get_task", task_id=task_id)
        if task is None:
            return None
        if task["merged_into"]:
            return TaskStore._with_attempt(tx, task["merged_into"])
        attempt = tx.one("get_attempt", task_id=task_id, attempt=task["attempt"]) or {}
        return _joined(task, attempt)

    def latest(self, task_id: str, timeout: float | None = None) -> Row | None:
        """Return the row of a task with its latest attempt's columns as `attempt_…`, or None."""
        with self.database.transaction(timeout=timeout, read=True) as tx:
            return self._with_attempt(tx, task_id)

    def attempt(self, task_id: str, number: int) -> Row | None:
        """Return the row of a task, be it hidden, with the columns of that attempt as `attempt_…`, or None.

        The host's own id of the task, where it is known, is there as `host_task_id`.
        """
        with self.database.transaction(read=True) as tx:
            task = tx.one("get_any_task", task_id=task_id)
            attempt = tx.one("get_attempt", task_id=task_id, attempt=number)
            host = tx.one("get_host_task", task_id=task_id) or {}
            return {**_joined(task, attempt), **host} if task and attempt else None

    def identity(self, timeout: float | None = None) -> int | None:
        """Return what tells this store from any other: when its tables were made (Unix ns)."""
        with self.database.transaction(timeout=timeout, read=True) as tx:
            row = tx.one("store_identity")
        return int(row["made_ns"]) if row and row["made_ns"] is not None else None

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


def _joined(task: Row, attempt: Row) -> Row:
    return {**task, **{f"attempt_{key}": value for key, value in attempt.items()}}
