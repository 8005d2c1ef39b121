"""Logfire, for `calls.py` in a venv of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import logfire
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from reference import Null

REQUIRES = ["logfire"]

logfire.configure(
    send_to_logfire=False, console=False, inspect_arguments=False, metrics=False, service_name="bench",
    additional_span_processors=[BatchSpanProcessor(Null())],
)  # fmt: skip


def root(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a pipeline, its ids as baggage."""

    def wrapper(*args: Any) -> Any:
        with logfire.set_baggage(session_id="sess-0123456789", task_id="task-0123456789"):
            return traced(*args)

    traced = logfire.instrument("pipeline", extract_args=False)(fn)
    return wrapper


child = child_async = logfire.instrument("child", extract_args=False)
child_async_generator = logfire.instrument("child", extract_args=False, allow_generator=True)
child_with_payload = logfire.instrument("child", extract_args=True, record_return=True)
flush = logfire.force_flush
