"""Our own span: a real `opentelemetry.trace.Span` that costs a tenth of the SDK's and ends in the journal."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import SpanContext, StatusCode, TraceFlags

from agentos_otel import guard, semconv
from agentos_otel.context.attempt import new_span_id
from agentos_otel.journal import encoding
from agentos_otel.journal.record import ENDED_SPAN, STARTED_SPAN
from agentos_otel.tracing.limits import cut, printable

if TYPE_CHECKING:
    from opentelemetry.trace import Status
    from opentelemetry.util.types import Attributes

    from agentos_otel.context.attempt import Attempt
    from agentos_otel.tracing.runtime import Runtime

SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
NOT_SAMPLED: Final = TraceFlags(TraceFlags.DEFAULT)
INTERNAL: Final = 1
ERROR: Final = 2
MAX_EVENTS: Final = 128
MAX_ATTRIBUTES: Final = 128

# Durations come from the monotonic clock, anchored once: the wall clock may be set back during a span.
_ANCHOR: Final = time.time_ns() - time.perf_counter_ns()
_clock: Final = time.perf_counter_ns


def now_ns() -> int:
    """Return Unix nanoseconds that never run backwards in this process."""
    return _ANCHOR + _clock()


class Span(ApiSpan):
    """One span of a task; written when it ends, and as a start record when it may be asked for before."""

    __slots__ = (
        "_context",
        "_description",
        "_status",
        "attempt",
        "attributes",
        "children_launched",
        "cut",
        "end_ns",
        "error_type",
        "events",
        "generation",
        "kind",
        "links",
        "name",
        "parent_id",
        "runtime",
        "span_id",
        "start_ns",
        "started",
    )

    def __init__(
        self,
        runtime: Runtime,
        attempt: Attempt,
        name: str,
        kind: str,
        parent_id: bytes,
        attributes: dict[str, Any],
        span_id: bytes | None = None,
    ) -> None:
        self.runtime = runtime
        self.attempt = attempt
        self.name = name
        self.kind = kind
        self.parent_id = parent_id
        self.span_id = span_id or new_span_id()
        self.attributes = attributes
        self.events: list[encoding.Event] | None = None
        self.links: list[encoding.Link] | None = None
        self._context: SpanContext | None = None
        self._status = 0
        self._description = ""
        self.error_type = ""
        self.started = False
        self.cut = 0
        self.children_launched = False
        self.generation = runtime.generation
        self.end_ns = 0
        self.start_ns = now_ns()

    # --- opentelemetry.trace.Span ---

    def get_span_context(self) -> SpanContext:
        """Return the ids of this span as OpenTelemetry has them."""
        context = self._context
        if context is None:
            context = self._context = SpanContext(
                int.from_bytes(self.attempt.trace_id, "big"),
                int.from_bytes(self.span_id, "big"),
                is_remote=False,
                trace_flags=SAMPLED if self.attempt.sampled else NOT_SAMPLED,
            )
        return context

    def is_recording(self) -> bool:
        """Whether what is set on this span will be kept."""
        return not self.end_ns and self.attempt.sampled

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute; text is cut to the limit, further attributes than the limit are counted as cut."""
        if self.end_ns:
            return
        if len(self.attributes) >= MAX_ATTRIBUTES and key not in self.attributes:
            self.cut += 1
            return
        if type(value) is str:
            value, was_cut = cut(value)
            self.cut += was_cut
        self.attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event; time in Unix nanoseconds, now if None."""
        if self.end_ns:
            return
        if self.events is None:
            self.events = []
        if len(self.events) >= MAX_EVENTS:
            self.cut += 1
            return
        self.events.append(encoding.Event(timestamp or now_ns(), name, dict(attributes or {})))

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Link another span."""
        if self.links is None:
            self.links = []
        trace_id, span_id = context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big")
        self.links.append(encoding.Link(trace_id, span_id, dict(attributes or {})))

    def update_name(self, name: str) -> None:
        """Give the span another name."""
        self.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status; takes a `Status` or a `StatusCode` with a description."""
        code = status if isinstance(status, StatusCode) else status.status_code
        text = description if isinstance(status, StatusCode) else status.description
        if self._status == StatusCode.OK.value:
            return
        self._status = code.value
        self._description = cut(text or "")[0] if code is StatusCode.ERROR else ""

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Record an exception as an event, with its traceback."""
        lines = traceback.format_exception(type(exception), exception, exception.__traceback__)
        values = {
            semconv.EXCEPTION_TYPE: qualified_name(type(exception)),
            semconv.EXCEPTION_MESSAGE: cut(printable(exception))[0],
            semconv.EXCEPTION_STACKTRACE: cut("".join(lines), keep_end=True)[0],
        }
        self.add_event(semconv.EXCEPTION_EVENT, {**values, **(attributes or {})}, timestamp)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """End the span of a `with` block; the exception goes on."""
        if error is not None:
            self.fail(error)
        self.end()

    # --- ours ---

    def fail(self, error: BaseException) -> None:
        """Note that the work ended by `error`: an error, or a cancellation, which is none."""
        if is_cancellation(error):
            self.attributes[semconv.AGENTOS_CANCELLED] = True
            return
        # An exception that passes several spans of ours is recorded once, where it arose (recording-errors.md).
        if getattr(error, "__agentos_otel_recorded__", None) != self.attempt.trace_hex:
            guard.guarded("recording an exception", self.record_exception, error)
            guard.guarded("marking an exception", _mark, error, self.attempt.trace_hex)
        self.fail_with(qualified_name(type(error)), printable(error))

    def fail_with(self, error_type: str, description: str = "") -> None:
        """Set the status to error."""
        self.error_type = error_type
        self.attributes[semconv.ERROR_TYPE] = error_type
        self._status = ERROR
        self._description = cut(description)[0]

    def end(self, end_time: int | None = None) -> None:
        """End the span and write it; once, and not in a fork of the process that began it."""
        if self.end_ns or self.generation != self.runtime.generation:
            return
        self.end_ns = end_time or now_ns()
        if self.attempt.sampled:
            try:
                self.runtime.write(ENDED_SPAN, self._encode(self.end_ns))
            except Exception as error:  # noqa: BLE001 - the host's hot path
                guard.failed("writing a span", error)

    def write_start(self) -> None:
        """Write the start record, once: from here on the span cannot become an orphan's missing parent."""
        if not self.started and self.attempt.sampled and not self.end_ns:
            self.started = True
            self.runtime.write(STARTED_SPAN, self._encode(0))

    def _encode(self, end_ns: int) -> bytes:
        attempt = self.attempt
        if self.cut:
            self.attributes[semconv.AGENTOS_CUT] = self.cut
        parts = [attempt.shared, _kind_attribute(self.kind), encoding.attributes(self.attributes)]
        if self.events:
            parts.append(encoding.events(self.events))
        if self.links:
            parts.append(encoding.links(self.links))
        if self._status:
            # The API counts OK 1 and ERROR 2, as the wire does.
            parts.append(encoding.status(self._status, self._description))
        named = encoding.name(self.name, INTERNAL)
        return self.runtime.encoder.span(
            attempt.trace_id, self.span_id, self.parent_id, named, self.start_ns, end_ns, parts
        )


def _kind_attribute(kind: str) -> bytes:
    return encoding.attribute(semconv.AGENTOS_KIND, kind)


def _mark(error: BaseException, trace_hex: str) -> None:
    try:
        error.__agentos_otel_recorded__ = trace_hex  # type: ignore[attr-defined]
    except AttributeError:  # an exception with __slots__: it may be recorded once more, on the parent
        return


def qualified_name(kind: type) -> str:
    """Return a class's name as `error.type` wants it: without a module for builtins."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def is_cancellation(error: BaseException) -> bool:
    """Whether `error` ends work without a failure: a cancelled task, or a generator closed early."""
    if isinstance(error, GeneratorExit):
        return True
    # concurrent.futures' and asyncio's classes are looked up by name: importing asyncio costs 65 ms.
    return any(base.__name__ == "CancelledError" for base in type(error).__mro__)
