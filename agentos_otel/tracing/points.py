"""What happens when a point is entered: its span, current until the call ends, and the task that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry.context import Context, get_current
from opentelemetry.trace import get_current_span

from agentos_otel import guard, semconv
from agentos_otel.context.current import SPAN_KEY, TASK_KEY
from agentos_otel.journal.encoding import Link
from agentos_otel.tracing import attempts, host_tasks, joining, paths, recording
from agentos_otel.tracing import runtime as runtimes
from agentos_otel.tracing.entered import NOTHING, Entered, Values
from agentos_otel.tracing.noted import Noted
from agentos_otel.tracing.span import Span
from agentos_otel.tracing.surrounding import Surrounding

if TYPE_CHECKING:
    from agentos_otel.context.attempt import Attempt
    from agentos_otel.tracing.plan import Plan
    from agentos_otel.tracing.runtime import Runtime


Entry: TypeAlias = Entered | Noted | Surrounding
"""What entering gives: all have `suspend`, `resume` and `leave`."""

_PHASE_STATUS: Final = {"intent": "planning", "coordination": "planning", "dry_execution": "planning"}


def enter(plan: Plan, arguments: Values = NOTHING) -> Entry | None:
    """Enter a point; None where tracing is off, or where a failure of ours leaves the call untraced.

    Args:
        plan: What the call is.
        arguments: The call's arguments by name, as far as the plan needs them.
    """
    runtime = runtimes.current()
    if runtime is None:
        return None
    try:
        context = get_current()
        if plan.point.kind == "event":
            around = context.get(SPAN_KEY)
            if type(around) is Span:
                return Noted(plan, around, arguments)
            return Surrounding(plan, arguments, context) if plan.point.artifacts else None
        attempt: Attempt | None = context.get(TASK_KEY)  # type: ignore[assignment]
        if attempt is None and plan.point.inside:
            return None
        if attempt is None or plan.point.new:
            return _enter_outermost(runtime, plan, arguments, context)
        return _enter_inside(runtime, plan, arguments, context, attempt)
    except Exception as failure:  # noqa: BLE001 - the host goes on
        guard.failed(f"entering {plan.name!r}", failure)
        return None


def _enter_inside(
    runtime: Runtime, plan: Plan, arguments: Values, context: Context, attempt: Attempt
) -> Entered | None:
    if not attempt.sampled and plan.plain and plan.point.kind in ("agent", "tool"):
        return None  # nothing of it would be kept
    if attempt.generation != runtime.generation:
        attempts.join(runtime, attempt)
    name, shape = plan.shape_for(arguments) if plan.point.name_from else (plan.name, plan.shape)
    parent = context.get(SPAN_KEY)
    if type(parent) is Span and parent.attempt is attempt:
        if not parent.started:
            parent.write_start()
        parent_id = parent.span_id
    else:
        parent_id = _foreign_parent(runtime, attempt, context)
    span = Span(runtime, attempt, shape, parent_id)
    if plan.starts:
        runtime.look_for_provider()
        span.write_start()
    entered = Entered(plan, span)
    if plan.point.capture or runtime.options.capture:
        _capture(runtime, entered, arguments)
    if plan.point.kind == "stage":
        _set_state(runtime, entered, name)
    if not plan.plain:
        _tell(entered, arguments)
    if runtime.bridge is not None:
        runtime.bridge.on_start(span, context)
    entered.begin(Context({**context, SPAN_KEY: span}))
    return entered


def _enter_outermost(runtime: Runtime, plan: Plan, arguments: Values, context: Context) -> Entered:
    runtime.look_for_provider()
    point = plan.point
    name, shape = plan.shape_for(arguments)
    root_name = shape.name if point.kind != "stage" else f"task {name}"
    session = paths.resolve(point.session, arguments) if point.session else None
    session = session if isinstance(session, str) and session else None
    joins, key = recording.joins(point, arguments), recording.host_task(point, arguments)
    if key is not None:
        joins.append((semconv.REF_HOST_TASK, key))
        session = session or host_tasks.session_of(key)
    attempt = joining.find(runtime, point, root_name, joins, session, context, key or "")
    attempt.depth += 1
    owner = attempt.owned and attempt.depth == 1
    if owner:
        span = Span(runtime, attempt, plan.root_shape(attempt.root_name, name), attempt.root_parent, attempt.root_id)
        span.start_ns = attempt.root_start_ns
        span.started = True
        runtime.open.add(span.span_id)
        span.own_links = [Link(trace_id, span_id, {}) for trace_id, span_id in attempt.links] or None
    else:
        span = Span(runtime, attempt, shape, attempt.remote_parent)
    if plan.starts:
        span.write_start()
    entered = Entered(plan, span)
    entered.outermost, entered.owner = True, owner
    _capture(runtime, entered, arguments)
    _set_state(runtime, entered, name)
    _tell(entered, arguments)
    if runtime.bridge is not None:
        runtime.bridge.on_start(span, context)
    entered.begin(Context({**context, SPAN_KEY: span, TASK_KEY: attempt}))
    return entered


def _foreign_parent(runtime: Runtime, attempt: Attempt, context: Context) -> bytes:
    """Return the id to hang under where the current span is not ours, or of another task."""
    parent = get_current_span(context)
    foreign = parent.get_span_context()
    if not foreign.is_valid or foreign.trace_id != int.from_bytes(attempt.trace_id, "big"):
        return attempt.remote_parent
    if runtime.bridge is not None:
        runtime.bridge.write_start(parent)
    return foreign.span_id.to_bytes(8, "big")


def _capture(runtime: Runtime, entered: Entered, arguments: Values) -> None:
    wanted = entered.plan.point.capture
    entered.captures = runtime.options.capture if wanted is None else wanted
    if entered.captures:
        recording.capture_arguments(entered.span, arguments)


def _set_state(runtime: Runtime, entered: Entered, name: str) -> None:
    """Journal the phase and the status of the task, where this call changes them."""
    attempt = entered.span.attempt
    if entered.plan.point.kind == "stage":
        state = _PHASE_STATUS.get(name, "executing"), name if name in semconv.PHASES else ""
        if attempt.state == state:
            return
        attempt.state = state
        changed = {"status": state[0], "phase": state[1]}
    elif entered.owner:
        changed = {"status": "executing"}
    else:
        return
    said = {"op": "state", "run_id": runtime.run_id, "task_id": attempt.task_id, "at": entered.span.start_ns}
    runtime.state([{**changed, **said}])


def _tell(entered: Entered, arguments: Values) -> None:
    """Journal the ids among the arguments of a call."""
    point, span = entered.plan.point, entered.span
    attempt = span.attempt
    entered.arguments = arguments
    refs = recording.refs(span, point, arguments, produced=False)
    if (host := recording.host_task(point, arguments)) is not None:
        # Produced: it is this task's own name in the host, and leads whoever comes with it here. But not where the task
        # was born by it under another key, as the store did not answer: it then merges into the one that has the key.
        if host == attempt.task_id or host != attempt.host_task_id:
            refs.append((semconv.REF_HOST_TASK, host, "produced"))
        span.note(semconv.AGENTOS_HOST_TASK_ID, host)
    host_tasks.tell(span, refs, host)
