"""For tests of instrumented code: its spans in memory, nothing on disk.

from agentos_otel.testing import recording

with recording() as spans:
    build_intent("rename X to Y")
assert [span.name for span in spans] == ["stage intent", "task build_intent"]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentos_otel import bootstrap
from agentos_otel.context.ids import new_run_id
from agentos_otel.context.resource import RunResource
from agentos_otel.journal.encoding import SpanEncoder
from agentos_otel.journal.memory import MemoryJournal
from agentos_otel.tracing import runtime as runtimes
from agentos_otel.tracing.runtime import Options, Runtime
from agentos_otel.tracing.span import Span


@contextmanager
def recording(*, capture: bool = False) -> Iterator[list[Span]]:
    """Collect the spans of this process that end in the block, in the order of their ends.

    Neither files nor databases are touched: ids join nothing, and each outermost call is a task of its own. Spans have
    `name`, `attributes`, `status`, `events`, `parent`, `start_time` and `end_time` as OpenTelemetry's have.

    Args:
        capture: Keep arguments and results on the spans.
    """
    spans: list[Span] = []
    resource = RunResource()
    runtime = Runtime(
        Options(Path(), capture=capture, program=resource.program, host=resource.host, in_memory=True),
        MemoryJournal(new_run_id()),
        lambda run_id: SpanEncoder(resource.small(run_id)),
    )
    runtime.sink = spans.append
    before, runtimes.factory = runtimes.installed(), runtimes.factory or bootstrap.default
    runtimes.install(runtime)
    try:
        yield spans
    finally:
        runtimes.install(before)
