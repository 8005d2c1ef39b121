"""Our span as the SDK's processors read it: the properties of `opentelemetry.sdk.trace.ReadableSpan`.

They are computed when asked for, and only a processor of the host's asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import trace
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

if TYPE_CHECKING:
    from opentelemetry.util.types import Attributes

    from agentos_otel.journal.encoding import Event, Link
    from agentos_otel.tracing.runtime import Runtime


class Readable:
    """What `ReadableSpan` has beside `name` and `attributes`, from what our span keeps."""

    runtime: Runtime
    parent_id: bytes
    start_ns: int
    end_ns: int
    cut: int
    status_code: int
    status_description: str
    own_events: list[Event] | None
    own_links: list[Link] | None

    def get_span_context(self) -> SpanContext:
        """Return the ids of the span."""
        raise NotImplementedError

    @property
    def context(self) -> SpanContext:
        """Ids of the span."""
        return self.get_span_context()

    @property
    def kind(self) -> SpanKind:
        """Always internal: a point is work of the process itself."""
        return SpanKind.INTERNAL

    @property
    def parent(self) -> SpanContext | None:
        """Ids of the parent; None for the root of a task."""
        if not self.parent_id:
            return None
        own = self.get_span_context()
        return SpanContext(own.trace_id, int.from_bytes(self.parent_id, "big"), False, own.trace_flags)

    @property
    def start_time(self) -> int:
        """Unix nanoseconds."""
        return self.start_ns

    @property
    def end_time(self) -> int | None:
        """Unix nanoseconds; None while it runs."""
        return self.end_ns or None

    @property
    def status(self) -> Status:
        """Status of the span."""
        return Status(StatusCode(self.status_code), self.status_description or None)

    @property
    def events(self) -> Sequence[Any]:
        """Events, as the SDK's."""
        from opentelemetry.sdk.trace import Event

        return tuple(
            Event(event.name, cast("Attributes", event.attributes), event.time_ns) for event in self.own_events or ()
        )

    @property
    def links(self) -> Sequence[trace.Link]:
        """Links to other spans."""
        sampled = TraceFlags(TraceFlags.SAMPLED)
        return tuple(
            trace.Link(
                SpanContext(int.from_bytes(link.trace_id, "big"), int.from_bytes(link.span_id, "big"), True, sampled),
                cast("Attributes", link.attributes),
            )
            for link in self.own_links or ()
        )

    @property
    def resource(self) -> Any:
        """Resource of the host's provider; None where there is none."""
        bridge = self.runtime.bridge
        return bridge.resource if bridge is not None else None

    @property
    def instrumentation_scope(self) -> Any:
        """Our scope; None where the host has no provider."""
        bridge = self.runtime.bridge
        return bridge.scope if bridge is not None else None

    @property
    def dropped_attributes(self) -> int:
        """Attributes, events and texts that were cut."""
        return self.cut

    @property
    def dropped_events(self) -> int:
        """Counted among `dropped_attributes`."""
        return 0

    @property
    def dropped_links(self) -> int:
        """None is ever dropped."""
        return 0
