"""A call at a point of kind `event`: no span of its own, an event of the span around it.

For calls that are many and short (steps of a state machine, lines of a run tape): as spans they would bury the tree.
Outside any span of ours there is nothing to note them on, and they are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentos_otel import guard, semconv
from agentos_otel.tracing import host_tasks, recording
from agentos_otel.tracing.span import qualified_name

if TYPE_CHECKING:
    from agentos_otel.tracing.plan import Plan
    from agentos_otel.tracing.recording import Values
    from agentos_otel.tracing.span import Span


class Noted:
    """One call; it has the methods that the wrappers call on `Entered`."""

    __slots__ = ("arguments", "plan", "span")

    def __init__(self, plan: Plan, span: Span, arguments: Values) -> None:
        self.plan = plan
        self.span = span
        self.arguments = arguments

    def suspend(self) -> None:
        """Nothing is current for an event."""

    def resume(self) -> None:
        """Nothing is current for an event."""

    def leave(self, error: BaseException | None, result: Any = None) -> None:
        """Put the event on the span around; never raises."""
        guard.guarded(f"noting {self.plan.name!r}", self._note, error, result)

    def _note(self, error: BaseException | None, result: Any) -> None:
        span, point = self.span, self.plan.point
        if span.generation != span.runtime.generation:
            return
        values = {**self.arguments, "result": result}
        shown = {**point.attributes, **recording.values(point, values), semconv.CODE_FUNCTION_NAME: self.plan.function}
        failure = recording.failure(point, values) if error is None else None
        if error is not None:
            shown[semconv.ERROR_TYPE] = qualified_name(type(error))
        elif failure is not None:
            shown[semconv.ERROR_TYPE] = semconv.RETURNED_FAILURE
        span.add_event(self.plan.name, shown)
        if point.fails:
            span.fail_with(semconv.REPORTED_FAILURE, self.plan.name)
        if error is not None:
            return
        both = [
            *recording.refs(span, point, values, produced=False),
            *recording.refs(span, point, values, produced=True),
        ]
        host_tasks.tell(span, both)
        recording.artifacts(span, point, values)
        if span.runtime.pending and any(item.use == "produces" for item in point.ids):
            span.runtime.flush()
