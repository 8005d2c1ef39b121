"""The current task, carried in the OpenTelemetry context beside the current span.

A task is kept under a key of its own and not only on our span: a foreign span (of an HTTP client, say) may be the
current one, and what runs inside it still belongs to the task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context, create_key, get_current
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

if TYPE_CHECKING:
    from agentos_otel.context.attempt import Attempt

TASK_KEY: Final = create_key("agentos-otel-task")
# The API's own key for the current span, asked for by its public door: looking the span up by it costs a third of
# get_current_span(), whose isinstance() goes through an abstract base class.
SPAN_KEY: Final = next(iter(set_span_in_context(INVALID_SPAN, Context())))
SESSION_KEY: Final = create_key("agentos-otel-session")
COMMAND_KEY: Final = create_key("agentos-otel-command")


def current_attempt(context: Context | None = None) -> Attempt | None:
    """Return the attempt that the code here works for, or None outside any task."""
    return (get_current() if context is None else context).get(TASK_KEY)  # type: ignore[return-value]


def current_session(context: Context | None = None) -> str | None:
    """Return the session that `session(...)` opened around the code here."""
    return (get_current() if context is None else context).get(SESSION_KEY)  # type: ignore[return-value]
