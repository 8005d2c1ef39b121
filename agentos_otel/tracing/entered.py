"""One call at a point, from its entry to its end: its status, its ids and files, and the end of its task."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from agentos_otel import guard, semconv
from agentos_otel.context.current import COMMAND_KEY
from agentos_otel.tracing import host_tasks, inheriting, joining, operations, recording, roots
from agentos_otel.tracing.current_call import CurrentCall
from agentos_otel.tracing.limits import cut
from agentos_otel.tracing.span import Span, qualified_name

if TYPE_CHECKING:
    from agentos_otel.model import Rewrites
    from agentos_otel.tracing.plan import Plan
    from agentos_otel.tracing.surrounding import Surrounding

Values = Mapping[str, Any]
NOTHING: Final[Values] = {}

commit_reader: Callable[[Span], None] | None = None
"""Set by `correlation.commits`: takes the commits in that children of a span made."""

commit_mapper: Callable[[Span, Rewrites, Values], None] | None = None
"""Set by `correlation.commits`: reads from a file of the host's which commits became which."""


class Entered(CurrentCall):
    """One call at a point: its span, current in the OpenTelemetry context until `leave`.

    What only the outermost call of a task needs stands on the class, as in `Span`.
    """

    arguments: Values = NOTHING
    outermost = False
    owner = False
    captures = False
    produced: Sequence[str] = ()

    def __init__(self, plan: Plan, span: Span) -> None:
        self.plan = plan
        self.span = span

    def leave(self, error: BaseException | None, result: Any = None) -> None:
        """End the span and do what a point's end does; never raises (the wrapper re-raises the host's exception)."""
        self.detach()
        span = self.span
        if error is None and self.plan.plain and not (self.outermost or self.captures or span.children_launched):
            span.end()
            return
        try:
            _leave(self, error, result)
            if self.produced:
                joining.announce(span.runtime, span.attempt, self.produced)
        except Exception as failure:  # noqa: BLE001 - the host goes on
            span.end()
            guard.failed(f"leaving {span.name!r}", failure)


def _leave(entered: Entered, error: BaseException | None, result: Any) -> None:
    """End the span of a call, and its task where the call is the one that ends it."""
    point, span = entered.plan.point, entered.span
    runtime, attempt = span.runtime, span.attempt
    if span.generation != runtime.generation:
        return  # a fork's child: the span is its parent's to end
    failed = _judge(entered, error, result)
    if error is None and not span.end_ns:
        _results(entered, result)
    if span.children_launched and commit_reader is not None:
        commit_reader(span)
    if not entered.outermost:
        span.end()
        if runtime.pending and error is None and any(item.use == "produces" for item in point.ids):
            runtime.flush()
        return
    command: Surrounding | None = entered.context.get(COMMAND_KEY)  # type: ignore[assignment]
    if command is not None:
        command.worked(span, {**entered.arguments, "result": result})
    attempt.depth -= 1
    if attempt.depth == 0 and attempt.task_file:
        # A child that outlives its stage commits without trailers rather than for a task that may have ended.
        with suppress(FileNotFoundError):
            os.unlink(attempt.task_file)  # noqa: PTH108 - pathlib costs 5 ms of import
        attempt.task_file = ""
    if entered.owner:
        status = "cancelled" if span.cancelled else "failed" if failed else "completed"
        roots.end_attempt(runtime, attempt, status, span.error_type or None, span)
        return
    span.end()
    ending = _ending(entered, failed=failed or error is not None)
    if ending is not None:
        roots.end_attempt(runtime, attempt, ending)
    elif attempt.depth == 0 and attempt is not inheriting.inherited_attempt():
        runtime.state([operations.leave_operation(runtime, attempt)])
    runtime.flush()


def _ending(entered: Entered, *, failed: bool) -> str | None:
    """Return the status that a call ends its task with, or None where the task goes on.

    Where the host keeps a table of its tasks, that says it: a runner that returns may have finished, failed, or wait
    for an approval.
    """
    point = entered.plan.point
    if not point.ends or failed:
        return None
    if point.task and host_tasks.table is not None and entered.span.attempt.host_task_id:
        return host_tasks.status_of(entered.span.attempt)
    return "completed"


def _judge(entered: Entered, error: BaseException | None, result: Any) -> bool:
    """Set the span's status; whether the point failed."""
    span, point = entered.span, entered.plan.point
    if error is not None:
        bases = {f"{base.__module__}:{base.__qualname__}" for base in type(error).__mro__}
        if bases.intersection(point.control_flow):
            span.add_event(semconv.AGENTOS_CONTROL_FLOW_EVENT, {semconv.EXCEPTION_TYPE: qualified_name(type(error))})
            return False
        span.fail(error)
        return bool(span.error_type)
    if point.failed and (failure := recording.failure(point, {**entered.arguments, "result": result})):
        path, value = failure
        span.fail_with(semconv.RETURNED_FAILURE, f"{path} = {cut(repr(value))[0]}")
        return True
    return bool(span.error_type)


def _results(entered: Entered, result: Any) -> None:
    """Journal the ids and artifacts of a call that returned."""
    point, span = entered.plan.point, entered.span
    if not entered.plan.plain:
        values = {**entered.arguments, "result": result}
        refs = recording.refs(span, point, values, produced=True)
        entered.produced = [value for _, value, _ in refs]
        host_tasks.tell(span, refs)
        recording.artifacts(span, point, values)
        for key, value in recording.values(point, values).items():
            span.note(key, value)
        if point.rewrites is not None and commit_mapper is not None:
            commit_mapper(span, point.rewrites, values)
    if entered.captures:
        recording.capture_result(span, result)
