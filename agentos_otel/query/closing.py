"""Ends tasks from outside: by hand, or because nothing has been heard of them for days; each end with its root."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agentos_otel import semconv
from agentos_otel.errors import TransitionError
from agentos_otel.journal.record import ENDED_SPAN
from agentos_otel.store import live
from agentos_otel.store.dead_run import ABANDONED
from agentos_otel.store.root import root_of

if TYPE_CHECKING:
    from agentos_otel.journal.writer import Journal
    from agentos_otel.tasks.store import TaskStore


class Keeper(Protocol):
    """Who changes tasks from outside: a task store, and a journal that says each change first."""

    state_dir: Path
    journal_dir: Path
    host: str
    store: TaskStore

    @property
    def journal(self) -> Journal:
        """The journal of this process."""
        ...

    def do(self, *operations: dict[str, Any]) -> bool | None:
        """Journal operations and apply them; the result of the last."""
        ...


def close(
    keeper: Keeper,
    task_id: str,
    status: str,
    error_type: str = "",
    at: int | None = None,
    links: Iterable[tuple[str, str]] = (),
) -> None:
    """End the latest attempt of a task and write its root; a written root is final.

    Args:
        keeper: Who ends it.
        task_id: The task.
        status: completed, failed or cancelled.
        error_type: Why it failed.
        at: When it ended, in Unix nanoseconds; now if None.
        links: (trace id, span id) for the root beside those that its attempt was begun with.

    Raises:
        NotFoundError: There is no such task.
        TransitionError: It has ended already.
    """
    task = keeper.store.task(task_id)
    if task["ended_ns"] is not None:
        raise TransitionError(f"task {task_id} has ended already ({task['status']})")
    row = keeper.store.attempt(task_id, task["attempt"])
    if row is None:
        raise TransitionError(f"task {task_id} has no attempt that could end")
    end = {"op": "end", "task_id": task_id, "attempt": task["attempt"], "status": status}
    end.update(
        root_span_id=row["attempt_root_span_id"],
        error_type=error_type or None,
        run_id=keeper.journal.run_id,
        at=at or time.time_ns(),
    )
    if not keeper.do(end):
        raise TransitionError(f"task {task_id} was ended by another process just now")
    row = keeper.store.attempt(task_id, task["attempt"])
    if row is not None and row["attempt_sampled"]:
        keeper.journal.write(ENDED_SPAN, root_of(row, resource(keeper.host, keeper.journal.run_id), tuple(links)))


def resource(host: str, run_id: str) -> dict[str, Any]:
    """Return the resource of what a process writes that ends tasks from outside."""
    return {
        semconv.SERVICE_NAME: "agentos-otel",
        semconv.SERVICE_INSTANCE_ID: run_id,
        semconv.HOST_NAME: host,
    }


def close_idle(keeper: Keeper, idle_ns: int) -> int:
    """End the tasks of which nothing was heard for `idle_ns` nanoseconds, at their last record; returns how many.

    A task whose run is seen to live is left alone, however long it is silent. Whether a run of another machine lives
    cannot be seen: the idle time is what ends its task if that machine never comes back.
    """
    before, count = time.time_ns() - idle_ns, 0
    for task in keeper.store.rows("idle_tasks", before=before):
        runs = keeper.store.rows("runs_of_attempt", task_id=task["task_id"], attempt=task["attempt"])
        last = max([task["updated_ns"], *(run["left_ns"] or run["started_ns"] for run in runs)])
        if last >= before or any(_lives_here(keeper, run) for run in runs):
            continue
        with contextlib.suppress(TransitionError):  # another process has just done it
            close(keeper, task["task_id"], "failed", ABANDONED, last)
            count += 1
    return count


def _lives_here(keeper: Keeper, run: dict[str, Any]) -> bool:
    path = keeper.journal_dir / "live" / run["host"] / f"{run['run_id']}.otlp"
    return run["left_ns"] is None and live.is_alive(path)
