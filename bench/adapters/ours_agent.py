"""`@agent` without ids, for `calls.py`."""

from __future__ import annotations

from agentos_otel import agent, task

root = task("pipeline")
child = child_async = child_async_generator = agent("child")
