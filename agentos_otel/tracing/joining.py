"""How work finds its task: the current context, adoption by id, the environment, else a new task (design 3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from opentelemetry.trace import get_current_span

from agentos_otel import guard
from agentos_otel.context.attempt import Attempt
from agentos_otel.context.current import current_session
from agentos_otel.context.ids import new_session_id, new_span_id, new_task_id, new_trace_id
from agentos_otel.tracing import births, inheriting, task_file
from agentos_otel.tracing.attempts import adopted, share
from agentos_otel.tracing.operations import Joins, attempt_operation, birth_operations, born_refs, join_operation
from agentos_otel.tracing.roots import write_root_start
from agentos_otel.tracing.span import now_ns

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from agentos_otel.model import Operation, Point
    from agentos_otel.tasks.database import Row
    from agentos_otel.tracing.runtime import Runtime


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
    reserved = inheriting.reservation(runtime)
    if joins and not point.begins:
        attempt, was_adopted = _by_id(runtime, point, name, joins, session, context, reserved, key)
        if attempt is not None:
            if was_adopted and reserved is not None and reserved.task_id != attempt.task_id:
                inheriting.discard(runtime, attempt)
            return attempt
    if (point.begins or point.kind == "task") and reserved is not None and inheriting.take(runtime):
        return _bear(runtime, reserved, name, joins, owner=owner)
    if inheriting.joins_named(runtime) or (not point.begins and not (point.kind == "task" and reserved is not None)):
        inherited = inheriting.from_environment(runtime)
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


def _bear(runtime: Runtime, attempt: Attempt, name: str, joins: Joins, *, owner: bool) -> Attempt:
    """Write a new task before any work: its root's start, then its rows."""
    attempt.root_name = name
    attempt.owned = owner
    attempt.generation = runtime.generation
    share(attempt)
    write_root_start(runtime, attempt)
    alone = bool(joins) and runtime.store is None
    runtime.state([*birth_operations(runtime, attempt, owner=owner, without_store=alone), *born_refs(attempt, joins)])
    runtime.flush_soon()
    return attempt


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
            inherited = inheriting.from_environment(runtime)
            if inherited is not None and reserved is None:
                return ()
            taken = reserved if reserved is not None and inheriting.take(runtime) else None
            attempt = taken or _draw(runtime, name, session, context, free_key)
            attempt.root_name = name
            attempt.host_task_id = key
            attempt.owned = point.kind != "stage"
            winner = _born_elsewhere(runtime, attempt, joins)
            fresh = winner is None
            if winner is not None:
                attempt = winner
                operations = [join_operation(runtime, attempt)]
            else:
                operations = birth_operations(runtime, attempt, owner=attempt.owned, without_store=without_store)
                operations += born_refs(attempt, joins)
        else:
            attempt = adopted(runtime, row, now)
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
    if not made and inheriting.from_environment(runtime) is None:
        runtime.pending += bear(None, without_store=True)  # SQL did not answer in time: the indexer will tell it
    return (made[0] if made else None), row is not None


def _born_elsewhere(runtime: Runtime, attempt: Attempt, joins: Joins) -> Attempt | None:
    """Return the attempt that another process bears by the first of these ids just now, or None: it is ours."""
    if attempt.owned or not joins:
        return None
    fields = task_file.fields_of(attempt, "")
    options = runtime.options
    won = guard.guarded("claiming a birth", births.claim, options.state_dir, options.namespace, joins[0][1], fields)
    found = task_file.attempt_of(won) if won else None
    if found is not None:
        found.unstored = True
    return found


def announce(runtime: Runtime, attempt: Attempt, produced: Iterable[str]) -> None:
    """Say by files whose the ids are that a call has produced, where the store lacks them or the task: it is asked."""
    if runtime.options.in_memory or runtime.journal.dropped or not (runtime.behind or attempt.unstored):
        return  # a state directory that takes no journal takes no such file
    fields = task_file.fields_of(attempt, "")
    for identifier in produced:
        place = runtime.options.state_dir, runtime.options.namespace
        guard.guarded("telling whose an id is", births.announce, *place, identifier, fields)
