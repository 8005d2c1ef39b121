"""agentos-otel with its spans in memory alone, for `calls.py`."""

from __future__ import annotations

from agentos_otel import task, tool
from agentos_otel.testing import recording

_recording = recording()
_spans = _recording.__enter__()

root = task("pipeline")
child = child_async = child_async_generator = tool("child")


def flush() -> None:
    """Forget what was collected, as an exporter would have."""
    _spans.clear()
