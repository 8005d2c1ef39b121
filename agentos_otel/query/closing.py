"""Ends a task by hand: the claim, and its root span in our own journal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from agentos_otel import semconv
from agentos_otel.errors import TransitionError
from agentos_otel.journal import encoding
from agentos_otel.journal.record import ENDED_SPAN

if TYPE_CHECKING:
    from agentos_otel.query.workspace import Workspace


def close(workspace: Workspace, task_id: str, status: str, error_type: str = "") -> None:
    """End the latest attempt of a task and write its root; a written root is final.

    Raises:
        NotFoundError: There is no such task.
        TransitionError: It has ended already.
    """
    task = workspace.store.task(task_id)
    rows = [row for row in workspace.store.rows("list_attempts", task_id=task_id) if row["ended_ns"] is None]
    if not rows or task["ended_ns"] is not None:
        raise TransitionError(f"task {task_id} has ended already ({task['status']})")
    at = time.time_ns()
    end = {"op": "end", "task_id": task_id, "status": status, "error_type": error_type or None, "at": at}
    if workspace.do({**end, "attempt": rows[-1]["attempt"], "run_id": workspace.journal.run_id}) is False:
        raise TransitionError(f"task {task_id} was ended by another process just now")
    if rows[-1]["sampled"]:
        workspace.journal.append(_root(workspace, task, rows[-1], end))


def _root(workspace: Workspace, task: dict[str, Any], attempt: dict[str, Any], end: dict[str, Any]) -> bytes:
    encoder = encoding.SpanEncoder({semconv.SERVICE_INSTANCE_ID: workspace.journal.run_id})
    values: dict[str, Any] = {
        semconv.TASK_ID: task["task_id"],
        semconv.SESSION_ID: task["session_id"],
        semconv.AGENTOS_TASK_ATTEMPT: attempt["attempt"],
        semconv.AGENTOS_KIND: "task",
        semconv.GEN_AI_OPERATION_NAME: semconv.OPERATION_INVOKE_WORKFLOW,
    }
    if end["error_type"]:
        values[semconv.ERROR_TYPE] = end["error_type"]
    if end["status"] == "cancelled":
        values[semconv.AGENTOS_CANCELLED] = True
    head = encoding.head(
        bytes.fromhex(attempt["trace_id"]),
        bytes.fromhex(attempt["root_span_id"]),
        b"",
        encoding.name(attempt["root_name"], 1),
        attempt["started_ns"],
        max(end["at"], attempt["started_ns"]),
    )
    status = encoding.status(2 if end["status"] == "failed" else 0, end["error_type"] or "")
    return encoder.record(ENDED_SPAN, [head, encoding.attributes(values), status])
