"""What the host's own table of tasks is told and asked, wherever a point shows one of its task ids.

`correlation.host_tables` puts the table here; without one (most hosts have none) the ids are only refs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from agentos_otel import guard, semconv
from agentos_otel.context.ids import new_session_id, usable_id
from agentos_otel.tracing import attempts, recording
from agentos_otel.tracing.span import now_ns

if TYPE_CHECKING:
    from agentos_otel.context.attempt import Attempt
    from agentos_otel.tracing.runtime import Runtime
    from agentos_otel.tracing.span import Span


class Table(Protocol):
    """The host's table; every call answers at once, whatever the database does."""

    def session_of(self, host_id: str) -> str | None:
        """Return the session of the host's task, or None where it is not known."""

    def status_of(self, host_id: str) -> str | None:
        """Return completed, failed or cancelled where the host's task has ended."""

    def note(self, host_id: str, task_id: str, trace_id: str) -> None:
        """Write the trace id into the row of the host's task, now or as soon as the database lets us."""

    def flush(self) -> None:
        """Try once more what the database did not take; the process ends."""


table: Table | None = None


def tell(span: Span, refs: Iterable[tuple[str, str, str]], host_id: str | None = None) -> None:
    """Journal the ids that a span shows, and tell the host's table of those that are its tasks.

    `host_id` is the host's id of the task itself, where it is none of the refs.
    """
    found = list(refs)
    if found:
        span.runtime.state([recording.refs_operation(span, found)])
    hosts = dict.fromkeys(value for kind, value, _ in found if kind == semconv.REF_HOST_TASK)
    for value in hosts if host_id is None else {**hosts, host_id: None}:
        guard.guarded("telling the host's table", _tell, span.runtime, span.attempt, value)


def _tell(runtime: Runtime, attempt: Attempt, host_id: str) -> None:
    attempt.host_task_id = attempt.host_task_id or host_id
    if table is None:
        return
    if attempt.session_id == new_session_id(attempt.task_id):
        session = usable_id(table.session_of(host_id))
        if session is not None:
            _take_session(runtime, attempt, session)
    if attempt.sampled:
        table.note(host_id, attempt.task_id, attempt.trace_hex)


def session_of(host_id: str) -> str | None:
    """Return the host's session of one of its tasks, or None."""
    if table is None:
        return None
    session: str | None = guard.guarded("asking the host's table", table.session_of, host_id)
    return session


def status_of(attempt: Attempt) -> str | None:
    """Return how the host's task of this attempt ended, or None where it has not, or nobody knows."""
    if table is None or not attempt.host_task_id:
        return None
    status: str | None = guard.guarded("asking the host's table", table.status_of, attempt.host_task_id)
    return status


def _take_session(runtime: Runtime, attempt: Attempt, session: str) -> None:
    """Give a task whose session was made up the host's, from here on; what has been written keeps the old one."""
    operation = {"op": "take_session", "task_id": attempt.task_id, "made_up": attempt.session_id}
    attempt.session_id = session
    attempts.share(attempt)
    runtime.state([{**operation, "session_id": session, "at": now_ns()}])
