"""The task that the code here works for, as the host sees it; and sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from typing import TYPE_CHECKING

from opentelemetry.context import attach, detach, get_current, set_value
from opentelemetry.trace import get_current_span

from agentos_otel import guard
from agentos_otel.context.current import SESSION_KEY, current_attempt
from agentos_otel.context.ids import usable_id
from agentos_otel.tracing import recording
from agentos_otel.tracing import runtime as runtimes
from agentos_otel.tracing.span import Span, now_ns

if TYPE_CHECKING:
    from agentos_otel.context.attempt import Attempt
    from agentos_otel.model import Role


class CurrentTask:
    """A handle on a task from inside it; all its methods do nothing where tracing is off.

    Attributes:
        task_id: Key of the task; empty where tracing is off.
        session_id: Its session.
        trace_id: Its trace, 32 hex digits.
        attempt: Number of the attempt, from 1.
    """

    __slots__ = ("_span", "attempt", "session_id", "task_id", "trace_id")

    def __init__(self, span: Span | None, attempt: Attempt | None = None) -> None:
        attempt = span.attempt if span is not None else attempt
        self._span = span
        self.task_id = attempt.task_id if attempt else ""
        self.session_id = attempt.session_id if attempt else ""
        self.trace_id = attempt.trace_hex if attempt else ""
        self.attempt = attempt.number if attempt else 0

    def ref(self, kind: str, value: str, role: Role = "produced") -> None:
        """Note an id of the pipeline; `find` returns this task for it, and a `joins` of it adopts."""
        if self._span is not None and usable_id(value):
            guard.guarded("noting an id", self._note, kind, value, role)

    def _note(self, kind: str, value: str, role: str) -> None:
        assert self._span is not None  # noqa: S101 - for the type checker
        self._span.runtime.state([recording.refs_operation(self._span, [(kind, value, role)])])
        self._span.runtime.flush()

    def artifact(self, path: str | PathLike[str]) -> None:
        """Record a file as it is now: path, size, sha256."""
        if self._span is not None:
            guard.guarded("recording an artifact", recording.artifact, self._span, fspath(path))

    def keep(self) -> None:
        """Have this task sent on whole, whatever share of the others `AGENTOS_OTEL_KEEP` leaves."""
        runtime = runtimes.installed()
        if runtime is not None and self.task_id:
            wish = {"op": "keep", "task_id": self.task_id, "trace_id": self.trace_id, "at": now_ns()}
            guard.guarded("keeping a task", runtime.journal.state, wish)

    def fail(self, reason: str, error_type: str = "failed") -> None:
        """Say that the work here failed, where no exception says it."""
        if self._span is not None:
            self._span.fail_with(error_type, reason)

    def set_attribute(self, key: str, value: str | bool | int | float) -> None:
        """Set an attribute on the current span."""
        if self._span is not None:
            self._span.set_attribute(key, value)


def current_task() -> CurrentTask | None:
    """Return the task that the code here works for, or None outside any."""
    attempt = current_attempt()
    if attempt is None:
        return None
    span = get_current_span()
    return CurrentTask(span if type(span) is Span else None, attempt)


@contextmanager
def session(session_id: str) -> Iterator[str]:
    """Give the tasks that begin in this block the session `session_id`."""
    token = attach(set_value(SESSION_KEY, session_id, get_current()))
    try:
        yield session_id
    finally:
        detach(token)
