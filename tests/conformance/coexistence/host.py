"""A host with tracing of its own, as a process: `python -m … ADAPTER HOW` prints what its exporter got, as JSON.

HOW is `before` or `after` (when it sets its provider), `none`, or `sampled`: 1 % of 300 traces is recorded.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, ParentBased, Sampler, SamplingResult

from tests.conformance.adapters import load


class Away(SpanExporter):
    """Where the host's spans go."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


class Reader(SpanProcessor):
    """Reads all that a span has, at both ends, and adds what is in the baggage."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:
        for key, value in baggage.get_all(parent_context).items():
            span.set_attribute(key, str(value))

    def on_end(self, span: ReadableSpan) -> None:
        assert span.context is not None
        assert span.end_time is not None
        assert span.start_time is not None
        assert span.end_time >= span.start_time
        self.seen.append(f"{key_of(span)} {(span.attributes or {}).get('customer')} {span.status.status_code.name}")
        str(
            (span.kind, span.parent, span.resource, span.links, span.events, span.instrumentation_scope, span.to_json())
        )


class OnePercent(Sampler):
    """A sampler whose decisions can be counted."""

    def __init__(self) -> None:
        self.asked = 0

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        self.asked += 1
        return SamplingResult(Decision.RECORD_AND_SAMPLE if self.asked % 100 == 1 else Decision.DROP)

    def get_description(self) -> str:
        return "one percent"


def key_of(span: ReadableSpan) -> str:
    """Return which span of this file it is."""
    return next((key for key in ("GET", "outer", "inner") if key in span.name), span.name)


def run(name: str, how: str) -> dict[str, Any]:
    """Return what the host sees."""
    single, batch, reader = Away(), Away(), Reader()
    provider = TracerProvider(sampler=ParentBased(OnePercent()) if how == "sampled" else ALWAYS_ON)
    provider.add_span_processor(SimpleSpanProcessor(single))
    provider.add_span_processor(BatchSpanProcessor(batch))
    provider.add_span_processor(reader)
    if how in ("before", "sampled"):
        trace.set_tracer_provider(provider)
    decorate = load(name).traced

    @decorate
    def inner(number: int) -> int:
        return number

    @decorate
    def outer(number: int) -> int:
        with trace.get_tracer("host.http").start_as_current_span("GET"):
            return inner(number)

    if how == "after":
        outer(1)
        trace.set_tracer_provider(provider)
    token = context.attach(baggage.set_baggage("customer", "c-1"))
    values = [outer(number) for number in range(300 if how == "sampled" else 1)]
    context.detach(token)
    provider.force_flush()
    names = {span.context.span_id: key_of(span) for span in single.spans if span.context}
    return {
        "values": len(values),
        "kept": trace.get_tracer_provider() is provider,
        "set": type(trace.get_tracer_provider()).__name__ != "ProxyTracerProvider",
        "spans": sorted((key_of(s), names.get(s.parent.span_id, "") if s.parent else "") for s in single.spans),
        "traces": len({span.context.trace_id for span in single.spans if span.context}),
        "batch": sorted(key_of(span) for span in batch.spans),
        "reader": sorted(reader.seen),
    }


main: Callable[[], None] = lambda: print("HOST", json.dumps(run(sys.argv[1], sys.argv[2])))  # noqa: E731

if __name__ == "__main__":
    main()
