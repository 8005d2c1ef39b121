"""Langfuse, for `calls.py` in a venv of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"):
    os.environ[name] = "bench"
os.environ["LANGFUSE_BASE_URL"] = "http://127.0.0.1:9"

from langfuse import Langfuse, observe, propagate_attributes
from reference import Null

REQUIRES = ["langfuse"]

_client = Langfuse(span_exporter=Null())


def root(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a pipeline; its ids go to every observation."""

    def body(*args: Any) -> Any:
        with propagate_attributes(session_id="sess-0123456789", metadata={"task": "task-0123456789"}):
            return fn(*args)

    return observe(name="pipeline", capture_input=False, capture_output=False)(body)


child = child_async = child_async_generator = observe(name="child", capture_input=False, capture_output=False)
child_with_payload = observe(name="child")
flush = _client.flush
