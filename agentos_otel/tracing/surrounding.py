"""A call at a point of kind `event` around the work of a task: a command that reads and writes the task's files itself.

Such a command knows no task: the ids are inside its files, and only the calls that it makes show them. So its files
are recorded when it ends, for the task of the last outermost call inside it (a path of theirs begins with `work`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context

from agentos_otel import guard
from agentos_otel.context.current import COMMAND_KEY
from agentos_otel.tracing import paths, recording
from agentos_otel.tracing.current_call import CurrentCall

if TYPE_CHECKING:
    from agentos_otel.tracing.plan import Plan
    from agentos_otel.tracing.recording import Values
    from agentos_otel.tracing.span import Span


class Surrounding(CurrentCall):
    """One such call; one inside another leaves its files to the outer."""

    def __init__(self, plan: Plan, arguments: Values, context: Context) -> None:
        self.plan = plan
        self.arguments = arguments
        self._outer: Surrounding | None = context.get(COMMAND_KEY)  # type: ignore[assignment]
        self.span: Span | None = None
        self._work: Values = {}
        self._files: list[str] = []
        self.begin(Context({**context, COMMAND_KEY: self._outer or self}))

    def worked(self, span: Span, values: Values) -> None:
        """Note the outermost call that ended inside: its span, its arguments and `result`."""
        self.span, self._work = span, values

    def leave(self, error: BaseException | None, result: Any = None) -> None:
        """Record the files, also of a command that failed: it may have written them before. Never raises."""
        self.detach()
        guard.guarded(f"recording the files of {self.plan.name!r}", self._record, result)

    def _record(self, result: Any) -> None:
        work = self._outer._work if self._outer is not None else self._work
        found = {**self.arguments, "result": result, "work": work}
        files = [name for path in self.plan.point.artifacts for name in paths.files_at(path, found)]
        if self._outer is not None:
            self._outer._files += files
        elif self.span is not None:
            _record_all(self.span, [*self._files, *files])


def _record_all(span: Span, names: Iterable[str]) -> None:
    if span.generation == span.runtime.generation:
        for name in dict.fromkeys(names):
            recording.artifact(span, name)
        span.runtime.flush_soon()
