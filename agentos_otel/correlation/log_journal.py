"""Log records made inside a task: their ids, and their place in the journal beside the spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.context import get_current
from opentelemetry.trace import get_current_span

from agentos_otel.context.current import SPAN_KEY, current_attempt
from agentos_otel.correlation.logs import LogContext
from agentos_otel.journal.log_encoding import log_parts
from agentos_otel.journal.record import LOG_RECORD
from agentos_otel.tracing import runtime as runtimes
from agentos_otel.tracing.limits import cut
from agentos_otel.tracing.span import Span

if TYPE_CHECKING:
    import logging

    from agentos_otel.context.attempt import Attempt


def current() -> LogContext | None:
    """Return the ids for a log record made here, or None outside any task."""
    context = get_current()
    attempt = current_attempt(context)
    if attempt is None:
        return None
    span = context.get(SPAN_KEY)
    if type(span) is Span and span.attempt is attempt:
        if span.log_context is None:
            span.log_context = _made(attempt, span.span_id)
        return span.log_context  # type: ignore[no-any-return]
    ids = get_current_span(context).get_span_context()
    inside = ids.is_valid and ids.trace_id == int.from_bytes(attempt.trace_id, "big")
    return _made(attempt, ids.span_id.to_bytes(8, "big") if inside else attempt.root_id)


def _made(attempt: Attempt, span_id: bytes) -> LogContext:
    return LogContext(attempt.trace_hex, span_id.hex(), int(attempt.sampled), attempt.task_id, attempt.session_id)


def keep(record: logging.LogRecord, context: LogContext) -> None:
    """Keep a log record in the journal."""
    runtime = runtimes.installed()
    if runtime is not None and context.trace_flags:
        parts, _ = log_parts(record, context.encoded(), cut)
        runtime.append(runtime.encoder.record(LOG_RECORD, parts))
