"""What a process says of its part in a task: operations, journaled first and then applied to the task store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agentos_otel import semconv
from agentos_otel.tracing.span import now_ns

if TYPE_CHECKING:
    from agentos_otel.context.attempt import Attempt
    from agentos_otel.model import Operation
    from agentos_otel.tracing.runtime import Runtime

Joins = Sequence[tuple[str, str]]
"""Ids of a point that may adopt it into a task, as (kind, value), in the map's order."""


def birth_operations(
    runtime: Runtime, attempt: Attempt, *, owner: bool, without_store: bool = False
) -> list[Operation]:
    """Return the operations that write a new task, its first attempt and this run into the store.

    `without_store`: the store could not be asked who produced the ids of the birth; readers may merge the task then.
    """
    owner_run = runtime.run_id if owner else ""
    common: dict[str, Any] = {"task_id": attempt.task_id, "at": attempt.root_start_ns, "owner_run": owner_run}
    return [
        {
            **common,
            "op": "task",
            "session_id": attempt.session_id,
            "name": attempt.root_name.removeprefix(semconv.SPAN_NAME_PREFIX["task"]),
            "namespace": runtime.options.namespace,
            **({"without_store": True} if without_store else {}),
        },
        attempt_operation(runtime, attempt, owner_run),
        join_operation(runtime, attempt),
    ]


def attempt_operation(runtime: Runtime, attempt: Attempt, owner_run: str) -> Operation:
    """Return the operation that writes an attempt."""
    return {
        "op": "attempt",
        "task_id": attempt.task_id,
        "attempt": attempt.number,
        "trace_id": attempt.trace_hex,
        "root_span_id": attempt.root_id.hex(),
        "root_name": attempt.root_name,
        "owner_run": owner_run,
        "session_id": attempt.session_id,
        "sampled": attempt.sampled,
        "resource": attempt.resource,
        "root_parent_id": attempt.root_parent.hex(),
        "links": [(trace_id.hex(), span_id.hex()) for trace_id, span_id in attempt.links],
        "at": attempt.root_start_ns,
    }


def join_operation(runtime: Runtime, attempt: Attempt) -> Operation:
    """Return the operation that writes this process's part in an attempt."""
    return {
        "op": "join",
        "run_id": runtime.run_id,
        "task_id": attempt.task_id,
        "attempt": attempt.number,
        "host": runtime.options.host,
        "pid": os.getpid(),
        "program": runtime.options.program,
        "late": attempt.late,
        "at": now_ns(),
    }


def leave_operation(runtime: Runtime, attempt: Attempt) -> Operation:
    """Return the operation that takes this process out of an attempt; the last one out leaves it waiting."""
    return {
        "op": "leave",
        "run_id": runtime.run_id,
        "task_id": attempt.task_id,
        "attempt": attempt.number,
        "at": now_ns(),
    }


def born_refs(attempt: Attempt, joins: Joins) -> list[Operation]:
    """Keep the ids inside the birth's transaction: the racing command that waits for its lock must see them."""
    refs = [(kind, value, "born") for kind, value in joins]
    return [{"op": "refs", "task_id": attempt.task_id, "refs": refs, "at": attempt.root_start_ns}] if refs else []
