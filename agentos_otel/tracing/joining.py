"""How work finds its task: the current context, adoption by id, the environment, else a new task (design 3.2)."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span

from agentos_otel import guard, semconv
from agentos_otel.context.attempt import Attempt
from agentos_otel.context.current import current_session
from agentos_otel.context.ids import new_session_id, new_span_id, new_task_id, new_trace_id
from agentos_otel.journal import encoding
from agentos_otel.tracing import births, task_file
from agentos_otel.tracing.span import Shape, Span, now_ns, qualified_name

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from agentos_otel.model import Operation, Point
    from agentos_otel.tasks.database import Row
    from agentos_otel.tracing.runtime import Runtime

_inherited: dict[int, Attempt] = {}  # by pid: what the environment gave this process
_lock = threading.RLock()  # a plain one deadlocks in a signal handler that enters or ends something


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it at the fork, and is not here to release it
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)

Joins = Sequence[tuple[str, str]]
"""Ids of a point that may adopt it into a task, as (kind, value), in the map's order."""

PHASE_STATUS = {"intent": "planning", "coordination": "planning", "dry_execution": "planning"}


def find(
    runtime: Runtime, point: Point, name: str, joins: Joins, session: str | None, context: Context, key: str = ""
) -> Attempt:
    """Return the attempt that a point outside any task belongs to, joining or bearing it.

    Args:
        runtime: The process's runtime.
        point: The point that is entered.
        name: Name for the root span, should the task be born here.
        joins: Usable ids of the point that may adopt, as (kind, value), in the map's order.
        session: Session that the host gives, if any.
        context: The OpenTelemetry context at the call.
        key: The host's own id of the task, which is the key of a task that is born by it.
    """
    owner = point.kind != "stage"
    reserved = _reservation(runtime)
    if joins and not point.begins:
        attempt, adopted = _by_id(runtime, point, name, joins, session, context, reserved, key)
        if attempt is not None:
            if adopted and reserved is not None and reserved.task_id != attempt.task_id:
                _discard(runtime, attempt)
            return attempt
    if (point.begins or point.kind == "task") and reserved is not None and _take(runtime):
        return _bear(runtime, reserved, name, joins, owner=owner)
    if _joins_named(runtime) or (not point.begins and not (point.kind == "task" and reserved is not None)):
        inherited = _from_environment(runtime)
        if inherited is not None:
            return inherited
    return _bear(runtime, _draw(runtime, name, session, context), name, joins, owner=owner)


def _draw(runtime: Runtime, name: str, session: str | None, context: Context, task_id: str = "") -> Attempt:
    task_id = task_id or new_task_id()
    options = runtime.options
    session = session or current_session(context) or options.session_id or new_session_id(task_id)
    above = options.foreign if options.foreign is not None and options.parent_from_environment else None
    trace_id = above.trace_id if above is not None else new_trace_id()
    sampled = above.sampled if above is not None else runtime.samples(trace_id, name)
    attempt = Attempt(task_id, session, trace_id, new_span_id(), now_ns(), root_name=name, sampled=sampled)
    if above is not None:
        attempt.root_parent = above.span_id
    attempt.resource = runtime.encoder.resource_attributes
    foreign = get_current_span(context).get_span_context()
    if foreign.is_valid:
        attempt.links.append((foreign.trace_id.to_bytes(16, "big"), foreign.span_id.to_bytes(8, "big")))
    elif options.foreign is not None and above is None:
        attempt.links.append((options.foreign.trace_id, options.foreign.span_id))
    return attempt


def share(attempt: Attempt) -> Attempt:
    """Encode what every span of `attempt` carries."""
    attempt.common = {
        semconv.TASK_ID: attempt.task_id,
        semconv.SESSION_ID: attempt.session_id,
        semconv.GEN_AI_CONVERSATION_ID: attempt.session_id,
        semconv.AGENTOS_TASK_ATTEMPT: attempt.number,
        **({semconv.AGENTOS_LATE: True} if attempt.late else {}),
    }
    attempt.shared = encoding.attributes(attempt.common)
    attempt.identity = encoding.identity(attempt.trace_id)
    return attempt


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


def _bear(runtime: Runtime, attempt: Attempt, name: str, joins: Joins, *, owner: bool) -> Attempt:
    """Write a new task before any work: its root's start, then its rows."""
    attempt.root_name = name
    attempt.owned = owner
    attempt.generation = runtime.generation
    share(attempt)
    write_root_start(runtime, attempt)
    alone = bool(joins) and runtime.store is None
    runtime.state([*birth_operations(runtime, attempt, owner=owner, without_store=alone), *_born(attempt, joins)])
    runtime.flush_soon()
    return attempt


def join(runtime: Runtime, attempt: Attempt) -> None:
    """Join an attempt that is there: from the environment, out of a message, or in the child of a fork."""
    attempt.generation = runtime.generation
    operations = [join_operation(runtime, attempt)]
    runtime.say(operations)
    results = runtime.flush_soon(operations)
    if results and results[0]:
        mark_late(attempt)


def mark_late(attempt: Attempt) -> None:
    """Let the spans that begin from now on say that the root of their trace was written before."""
    attempt.late = True
    share(attempt)


def _by_id(
    runtime: Runtime,
    point: Point,
    name: str,
    joins: Joins,
    session: str | None,
    context: Context,
    reserved: Attempt | None,
    key: str = "",
) -> tuple[Attempt | None, bool]:
    """Adopt by id, or bear a task that later commands with the same id join; (attempt, whether it was adopted)."""
    store = runtime.store
    if store is None:
        return None, False
    now = now_ns()
    made: list[Attempt] = []
    said: list[Operation] = []

    # Only a store that has looked can say that no other task has this key; without it the host's id is but a ref.
    def bear(row: Row | None, free_key: str = "", *, without_store: bool = False) -> Sequence[Operation]:
        if row is None:
            inherited = _from_environment(runtime)
            if inherited is not None and reserved is None:
                return ()
            taken = reserved if reserved is not None and _take(runtime) else None
            attempt = taken or _draw(runtime, name, session, context, free_key)
            attempt.root_name = name
            attempt.owned = point.kind != "stage"
            winner = _born_elsewhere(runtime, attempt, joins)
            fresh = winner is None
            if winner is not None:
                attempt = winner
                operations = [join_operation(runtime, attempt)]
            else:
                operations = birth_operations(runtime, attempt, owner=attempt.owned, without_store=without_store)
                operations += _born(attempt, joins)
        else:
            attempt = _adopted(runtime, row, now)
            fresh = row["attempt_ended_ns"] is not None
            # Whoever opens the next attempt of a task that has ended owns it as it would own a task: else a call that
            # is complete in itself would leave it open.
            attempt.owned = fresh and point.kind != "stage"
            attempt.root_name = name if attempt.owned else attempt.root_name
            operations = [attempt_operation(runtime, attempt, runtime.run_id if attempt.owned else "")] if fresh else []
            operations.append(join_operation(runtime, attempt))
        share(attempt)
        attempt.generation = runtime.generation
        if fresh:
            write_root_start(runtime, attempt)
        made.append(attempt)
        runtime.say(operations)
        said.extend(operations)
        return operations

    def join_or_bear(wait: float) -> Row | None:
        row = store.join_or_bear(ids, runtime.options.namespace, since, bear, wait, key)
        runtime.note_stored(len(said))
        return row

    since = now - runtime.options.resume_window_ns
    ids = [value for _, value in joins]
    row = runtime.sql(join_or_bear)
    if not made and _from_environment(runtime) is None:
        runtime.pending += bear(None, without_store=True)  # SQL did not answer in time: the indexer will tell it
    return (made[0] if made else None), row is not None


def _born_elsewhere(runtime: Runtime, attempt: Attempt, joins: Joins) -> Attempt | None:
    """Return the attempt that another process bears by the first of these ids just now, or None: it is ours."""
    if attempt.owned or not joins:
        return None
    fields = task_file.fields_of(attempt, "")
    options = runtime.options
    won = guard.guarded("claiming a birth", births.claim, options.state_dir, options.namespace, joins[0][1], fields)
    return task_file.attempt_of(won) if won else None


def _born(attempt: Attempt, joins: Joins) -> list[Operation]:
    """Keep the ids inside the birth's transaction: the racing command that waits for its lock must see them."""
    refs = [(kind, value, "born") for kind, value in joins]
    return [{"op": "refs", "task_id": attempt.task_id, "refs": refs, "at": attempt.root_start_ns}] if refs else []


def _adopted(runtime: Runtime, row: Row, now: int) -> Attempt:
    """Return the attempt to work in: the open one, or after an end the next, linked to the one before."""
    previous_trace = bytes.fromhex(row["attempt_trace_id"])
    previous_root = bytes.fromhex(row["attempt_root_span_id"])
    ended = row["attempt_ended_ns"] is not None
    attempt = Attempt(
        row["task_id"],
        row["session_id"],
        new_trace_id() if ended else previous_trace,
        new_span_id() if ended else previous_root,
        now if ended else row["attempt_started_ns"],
        root_name=row["attempt_root_name"],
        number=row["attempt"] + 1 if ended else row["attempt"],
        sampled=bool(row["attempt_sampled"]),
    )
    if ended:
        attempt.links.append((previous_trace, previous_root))
        attempt.resource = runtime.encoder.resource_attributes
    else:
        attempt.links = [
            (bytes.fromhex(trace), bytes.fromhex(span)) for trace, span in json.loads(row["attempt_links"])
        ]
        attempt.root_parent = bytes.fromhex(row["attempt_root_parent_id"])
        attempt.resource = json.loads(row["attempt_resource"])
    return attempt


def _from_environment(runtime: Runtime) -> Attempt | None:
    """Return the attempt that the environment names; one object for the process, joined once."""
    inherited = runtime.options.inherited
    if inherited is None:
        return None
    with _lock:
        attempt = _inherited.get(os.getpid())
        if attempt is None:
            attempt = _inherit(runtime, inherited.task_file)
            if attempt is None:
                return None
            _inherited.clear()
            _inherited[os.getpid()] = attempt
            join(runtime, attempt)
        return attempt


def _inherit(runtime: Runtime, path: str) -> Attempt | None:
    inherited = runtime.options.inherited
    if inherited is None:
        return None
    attempt = task_file.attempt_of(task_file.read(path)) if path else None
    if attempt is None or (inherited.trace_id and attempt.trace_hex != inherited.trace_id):
        attempt = _look_up(runtime, inherited.task_id) if not inherited.trace_id else _bare(runtime)
    if attempt is not None:
        attempt.generation = runtime.generation
        if inherited.span_id and attempt.trace_hex == inherited.trace_id:
            attempt.remote_parent = bytes.fromhex(inherited.span_id)
        share(attempt)
    return attempt


def _bare(runtime: Runtime) -> Attempt | None:
    """Return an attempt from the ids in the environment alone; its root is for others to write."""
    inherited = runtime.options.inherited
    if inherited is None:
        return None
    span_id = bytes.fromhex(inherited.span_id)
    session = inherited.session_id or new_session_id(inherited.task_id)
    trace_id = bytes.fromhex(inherited.trace_id)
    return Attempt(inherited.task_id, session, trace_id, span_id, now_ns(), sampled=inherited.sampled)


def _look_up(runtime: Runtime, task_id: str) -> Attempt | None:
    """Join a task by its id alone (`AGENTOS_OTEL_TASK_ID`), at its root; a task that ended gets a new attempt."""
    store = runtime.store
    row = runtime.sql(lambda wait: store.latest(task_id, wait)) if store else None
    if row is None or row.get("attempt_trace_id") is None:
        return None
    attempt = _adopted(runtime, row, now_ns())
    if attempt.number != row["attempt"]:
        attempt.generation = runtime.generation
        share(attempt)
        write_root_start(runtime, attempt)
        runtime.state([attempt_operation(runtime, attempt, "")])
    return attempt


def join_task(runtime: Runtime, task_id: str) -> Attempt | None:
    """Join the task with that id for `run --task ID`; None if the store has none."""
    return _look_up(runtime, task_id)


# --- the reservation of `run` ---


def _reservation(runtime: Runtime) -> Attempt | None:
    inherited = runtime.options.inherited
    if inherited is None or not inherited.task_file or task_file.is_claimed(inherited.task_file):
        return None
    fields = task_file.read(inherited.task_file)
    return task_file.attempt_of(fields) if fields.get("reserved") == "1" else None


def _joins_named(runtime: Runtime) -> bool:
    """Whether this is the first point under `run --task ID`: it joins even where the map says that it begins."""
    inherited = runtime.options.inherited
    if inherited is None or task_file.read(inherited.task_file).get("joined") != "1":
        return False
    return task_file.claim(inherited.task_file)


def _take(runtime: Runtime) -> bool:
    inherited = runtime.options.inherited
    return inherited is not None and task_file.claim(inherited.task_file)


def _discard(runtime: Runtime, joined: Attempt) -> None:
    """Give the reservation up for the task that was joined: commits of this command carry that one's ids."""
    inherited = runtime.options.inherited
    if inherited is not None and task_file.claim(inherited.task_file):
        from pathlib import Path

        path = Path(inherited.task_file)
        commits = task_file.read(path).get("commits", "")
        guard.guarded("redirecting the task file", task_file.write, path, task_file.fields_of(joined, commits))


# --- the root ---


def root_span(runtime: Runtime, attempt: Attempt) -> Span:
    """Return the root of an attempt under its reserved ids, not yet ended."""
    shape = Shape(attempt.root_name, "task", {semconv.GEN_AI_OPERATION_NAME: semconv.OPERATION_INVOKE_WORKFLOW})
    span = Span(runtime, attempt, shape, attempt.root_parent, attempt.root_id)
    span.start_ns = attempt.root_start_ns
    if attempt.resource and attempt.resource is not runtime.encoder.resource_attributes:
        span.encoder = encoding.SpanEncoder(attempt.resource)  # the root is the bearer's, whoever writes it
    span.own_links = [encoding.Link(trace_id, span_id, {}) for trace_id, span_id in attempt.links]
    return span


def write_root_start(runtime: Runtime, attempt: Attempt) -> None:
    """Write the reserved root's start record: whatever happens, its id and its start are known."""
    span = root_span(runtime, attempt)
    span.note(semconv.AGENTOS_RESERVED, True)
    span.write_start()
    runtime.open.discard(span.span_id)  # it may stay reserved when this process ends


def end_attempt(
    runtime: Runtime, attempt: Attempt, status: str, error: BaseException | str | None = None, root: Span | None = None
) -> None:
    """Claim the end of `attempt`; whoever wins the claim writes the root, which is final.

    `root` is the open root span of an owner; a reserved root is written from the attempt alone.

    A store that does not answer cannot refuse. An owner ends its task all the same; any other process leaves the root
    to the reaper, which carries the claim out once this one has exited, since two of them might both write it.
    """
    error_type = error if isinstance(error, str) else qualified_name(type(error)) if error is not None else ""
    with _lock:
        ended, attempt.ended = attempt.ended, True
    at = max(now_ns(), attempt.root_start_ns)  # the clock of the host that began it may be ahead
    end = {
        "op": "end",
        "task_id": attempt.task_id,
        "attempt": attempt.number,
        "root_span_id": attempt.root_id.hex(),
        "status": status,
        "error_type": error_type or None,
        "run_id": runtime.run_id,
        "at": at,
    }
    operations = [*([] if ended else [end]), leave_operation(runtime, attempt)]
    runtime.say(operations)
    results = runtime.flush(operations)
    runtime.open.discard(attempt.root_id)
    if ended or (results and results[0] is False):
        return  # another thread, or another process
    if results is None and not attempt.owned:
        runtime.open.add(attempt.root_id)
        return
    runtime.task_ended = True
    if root is None:
        root = root_span(runtime, attempt)
        if attempt.host_task_id:
            root.note(semconv.AGENTOS_HOST_TASK_ID, attempt.host_task_id)
        if status == "failed":
            root.fail_with(error_type, error_type)
        elif status == "cancelled":
            root.note(semconv.AGENTOS_CANCELLED, True)
    root.end(at)
    mark_late(attempt)


def leave_operation(runtime: Runtime, attempt: Attempt) -> Operation:
    """Return the operation that takes this process out of an attempt; the last one out leaves it waiting."""
    return {
        "op": "leave",
        "run_id": runtime.run_id,
        "task_id": attempt.task_id,
        "attempt": attempt.number,
        "at": now_ns(),
    }


def inherited_attempt() -> Attempt | None:
    """Return the attempt that the environment gave this process, if a point has asked for it."""
    return _inherited.get(os.getpid())


def leave_inherited(runtime: Runtime) -> None:
    """Leave the attempt that the environment gave this process, at its exit."""
    attempt = _inherited.pop(os.getpid(), None)
    if attempt is not None:
        runtime.state([leave_operation(runtime, attempt)])
        runtime.flush()
