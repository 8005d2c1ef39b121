"""agentos-otel, for `calls.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import trace

from agentos_otel import task, tool

root = task("pipeline")
child = child_async = child_async_generator = tool("child")
child_with_payload = tool("child", capture=True)


def child_with_attributes(fn: Callable[..., Any], attributes: Mapping[str, Any]) -> Callable[..., Any]:
    """Wrap one call whose span gets `attributes`."""

    def body(*args: Any) -> Any:
        trace.get_current_span().set_attributes(attributes)
        return fn(*args)

    return child(body)
