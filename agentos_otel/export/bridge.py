"""Joins the host's own provider: its spans get the task's ids and our journal, ours go through its processors.

One road per destination (design 3.4): where the host's provider exports, our spans leave by it, and the records of this
process are `local`, so that the forwarder does not send them once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import ConsoleSpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import get_current_span

from agentos_otel import guard, semconv
from agentos_otel.context.current import current_attempt
from agentos_otel.journal import encoding
from agentos_otel.journal.record import ENDED_SPAN, LOCAL_SPAN, STARTED_SPAN
from agentos_otel.tracing.limits import cut
from agentos_otel.tracing.span import Span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from agentos_otel.tracing.runtime import Runtime

_MAX_TEXT: Final = 1 << 16
"""Characters of one value of a foreign span: content is the host's choice there, its size is not."""


class Bridge:
    """What stands between our spans and a provider of the host's.

    Args:
        runtime: The process's runtime.
        provider: The host's provider.

    Attributes:
        resource: The provider's resource.
        scope: Our instrumentation scope.
    """

    def __init__(self, runtime: Runtime, provider: TracerProvider) -> None:
        self.resource = provider.resource
        self.scope = InstrumentationScope(semconv.SCOPE_NAME, schema_url=semconv.SCHEMA_URL)
        self._runtime = runtime
        self._provider = provider
        # Private, and the only way: a provider hands its spans to its processors, and ours are not made by it.
        self._processors: Any = provider._active_span_processor
        self._known: tuple[Any, ...] = ()
        self._exports = False
        self._foreign = _ForeignSpans(runtime, self)
        provider.add_span_processor(self._foreign)

    def sample(self, trace_id: bytes, name: str, attributes: Mapping[str, Any]) -> bool:
        """Return the decision of the host's sampler for a task that begins."""
        decided = self._provider.sampler.should_sample(
            Context(), int.from_bytes(trace_id, "big"), name, None, dict(attributes), ()
        )
        return decided.decision is Decision.RECORD_AND_SAMPLE

    def on_start(self, span: Span, context: Context) -> None:
        """Show a span of ours that began to the host's processors."""
        guard.guarded("showing a span to the host's processors", self._on_start, span, context)

    def _on_start(self, span: Span, context: Context) -> None:
        self._processors.on_start(span, parent_context=context)

    def on_end(self, span: Span) -> None:
        """Journal a span of ours that ended and hand it to the host's processors."""
        self._runtime.append(span.record(self.road(), span.end_ns))
        guard.guarded("handing a span to the host's processors", self._hand_over, span)

    def _hand_over(self, span: Span) -> None:
        self._processors.on_end(
            ReadableSpan(
                span.name,
                context=span.context,
                parent=span.parent,
                resource=self.resource,
                attributes=span.attributes,
                events=span.events,
                links=span.links,
                kind=span.kind,
                status=span.status,
                start_time=span.start_ns,
                end_time=span.end_ns,
                instrumentation_scope=self.scope,
            )
        )

    def write_start(self, span: Any) -> None:
        """Write the start of a foreign span that one of ours hangs under."""
        self._foreign.write_start(span)

    def road(self) -> int:
        """Return the field for an ended span: whether the host's provider sends it, or the forwarder."""
        processors = getattr(self._processors, "_span_processors", ())
        if processors is not self._known:  # a tuple that is replaced whenever a processor is added
            self._known = processors
            self._exports = any(_exports(processor) for processor in processors)
        return LOCAL_SPAN if self._exports else ENDED_SPAN


def _exports(processor: Any) -> bool:
    """Whether a processor sends spans away; ours does not, nor one that only reads starts, nor a console."""
    if isinstance(processor, _ForeignSpans) or getattr(type(processor), "on_end", None) is SpanProcessor.on_end:
        return False
    return not isinstance(getattr(processor, "span_exporter", None), (ConsoleSpanExporter, InMemorySpanExporter))


class _ForeignSpans(SpanProcessor):
    """Stamps the spans that the host's provider makes inside a task, and journals them."""

    def __init__(self, runtime: Runtime, bridge: Bridge) -> None:
        self._runtime = runtime
        self._bridge = bridge
        self._open: dict[int, bool] = {}  # span id: whether its start is written
        self._encoders: dict[tuple[str, str, str], encoding.SpanEncoder] = {}

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        """Give a span that begins inside a task its ids."""
        if type(span) is not Span:
            guard.guarded("stamping a span", self._stamp, span, parent_context)

    def _stamp(self, span: Any, parent_context: Context | None) -> None:
        attempt = current_attempt(parent_context)
        context = span.get_span_context()
        if attempt is None or context.trace_id != int.from_bytes(attempt.trace_id, "big"):
            return
        parent = get_current_span(parent_context)
        if type(parent) is Span:
            parent.write_start()
        elif span.parent is not None:
            self.write_start(parent)
        self._open[context.span_id] = False
        span.set_attribute(semconv.TASK_ID, attempt.task_id)
        span.set_attribute(semconv.SESSION_ID, attempt.session_id)

    def on_end(self, span: ReadableSpan) -> None:
        """Journal a span of the host's that began inside a task."""
        if span.context is not None and self._open.pop(span.context.span_id, None) is not None:
            guard.guarded("journaling a span", self._write, span, self._bridge.road())

    def write_start(self, span: Any) -> None:
        """Write the start record of a span that is open here, once."""
        span_id = span.get_span_context().span_id
        if self._open.get(span_id) is False:
            self._open[span_id] = True
            self._write(span, STARTED_SPAN)

    def _write(self, span: Any, field: int) -> None:
        context, parent = span.context, span.parent
        head = encoding.head(
            context.trace_id.to_bytes(16, "big"),
            context.span_id.to_bytes(8, "big"),
            parent.span_id.to_bytes(8, "big") if parent is not None else b"",
            encoding.name(span.name, span.kind.value + 1),  # the API counts from 0, the wire from 1
            span.start_time,
            span.end_time if field != STARTED_SPAN else 0,
        )
        parts = [
            head,
            encoding.attributes(_clean(span.attributes)),
            encoding.events(encoding.Event(e.timestamp, e.name, _clean(e.attributes)) for e in span.events),
            encoding.links(
                encoding.Link(
                    link.context.trace_id.to_bytes(16, "big"),
                    link.context.span_id.to_bytes(8, "big"),
                    _clean(link.attributes),
                )
                for link in span.links
            ),
            encoding.status(span.status.status_code.value, cut(span.status.description or "")[0]),
        ]
        self._runtime.append(self._encoder(span.instrumentation_scope).record(field, parts))

    def _encoder(self, scope: Any) -> encoding.SpanEncoder:
        key = (scope.name, scope.version or "", scope.schema_url or "") if scope is not None else ("", "", "")
        encoder = self._encoders.get(key)
        if encoder is None:
            encoder = self._encoders[key] = self._runtime.encoder.with_scope(*key)
        return encoder


def _clean(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        key: cut(value, _MAX_TEXT)[0] if isinstance(value, str) else value for key, value in (attributes or {}).items()
    }
