"""Our own span: a real `opentelemetry.trace.Span` that costs a tenth of the SDK's and ends in the journal."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import SpanContext, StatusCode, TraceFlags

from agentos_otel import guard, semconv
from agentos_otel.context.ids import new_span_id
from agentos_otel.journal import encoding
from agentos_otel.journal.record import MAX_RECORD, STARTED_SPAN
from agentos_otel.tracing.limits import MAX_TEXT, NO_SECRET, cut, printable
from agentos_otel.tracing.readable import Readable

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


class Shape:
    """What all spans of one point share from their start, and its encoding, made once.

    Attributes:
        name: Name of the span.
        kind: Kind of the point: task, stage, agent, tool, commit.
        attributes: Attributes that each of the spans has from its start.
    """

    __slots__ = ("attributes", "encoded", "kind", "name", "named")

    def __init__(self, name: str, kind: str, attributes: Mapping[str, Any]) -> None:
        self.name = name
        self.kind = kind
        self.attributes: Mapping[str, Any] = {semconv.AGENTOS_KIND: kind, **attributes}
        self.named = encoding.name(name, INTERNAL)
        self.encoded = encoding.attributes(self.attributes) + encoding.SAMPLED


class Span(Readable, ApiSpan):
    """One span of a task; written when it ends, and as a start record when it may be asked for before.

    What most spans never have stands on the class: a span is made on the host's hot path, and each store costs.
    """

    own: dict[str, Any] | None = None
    """Attributes that were set after the start."""
    own_events: list[encoding.Event] | None = None
    encoder: encoding.SpanEncoder | None = None
    """Of the span's own, where it is not this process's."""
    own_links: list[encoding.Link] | None = None
    started = False
    children_launched = False
    cut = 0
    end_ns = 0
    error_type = ""
    log_context: Any = None
    """What `correlation.log_journal` made for the records of this span."""
    status_code = 0
    status_description = ""
    _context: SpanContext | None = None

    def __init__(
        self, runtime: Runtime, attempt: Attempt, shape: Shape, parent_id: bytes, span_id: bytes | None = None
    ) -> None:
        self.runtime = runtime
        self.attempt = attempt
        self.shape = shape
        self.parent_id = parent_id
        self.span_id = span_id or new_span_id()
        self.generation = runtime.generation
        self.start_ns = _ANCHOR + _clock()

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

    @property
    def name(self) -> str:
        """Name of the span."""
        return self.shape.name

    @property
    def attributes(self) -> dict[str, Any]:
        """All attributes as they are now, the task's ids included."""
        return {**self.attempt.common, **self.shape.attributes, **(self.own or {})}

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute; text is cut to the limit, attributes beyond their limit are counted as cut.

        The ids of the task are not the host's to change: setting one of their keys does nothing.
        """
        if self.end_ns or key in self.attempt.common:
            return
        own = self.own
        if own is None:
            own = self.own = {}
        elif len(own) >= MAX_ATTRIBUTES and key not in own:
            self.cut += 1
            return
        if type(value) is str:
            value, was_cut = cut(value)
            self.cut += was_cut
        own[key] = value

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes; see `set_attribute`."""
        if self.end_ns:
            return
        own = self.own
        if own is None:
            own = self.own = {}
        if len(own) + len(attributes) > MAX_ATTRIBUTES or not self.attempt.common.keys().isdisjoint(attributes):
            for key, value in attributes.items():
                self.set_attribute(key, value)
            return
        for key, value in attributes.items():
            # Most values need no second look; a call for each would cost more than all the rest.
            if type(value) is str and len(value) >= NO_SECRET:
                value, was_cut = cut(value)  # noqa: PLW2901
                self.cut += was_cut
            own[key] = value

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event; time in Unix nanoseconds, now if None."""
        if self.end_ns:
            return
        if self.own_events is None:
            self.own_events = []
        if len(self.own_events) >= MAX_EVENTS:
            self.cut += 1
            return
        self.own_events.append(encoding.Event(timestamp or now_ns(), name, dict(attributes or {})))

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Link another span."""
        if self.own_links is None:
            self.own_links = []
        trace_id, span_id = context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big")
        self.own_links.append(encoding.Link(trace_id, span_id, dict(attributes or {})))

    def update_name(self, name: str) -> None:
        """Give the span another name."""
        self.shape = Shape(name, self.shape.kind, self.shape.attributes)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status; takes a `Status` or a `StatusCode` with a description."""
        code = status if isinstance(status, StatusCode) else status.status_code
        text = description if isinstance(status, StatusCode) else status.description
        if self.status_code == StatusCode.OK.value:
            return
        self.status_code = code.value
        self.status_description = cut(text or "")[0] if code is StatusCode.ERROR else ""

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

    def note(self, key: str, value: Any) -> None:
        """Set an attribute of ours: no limit, no cutting."""
        if self.own is None:
            self.own = {}
        self.own[key] = value

    @property
    def stage(self) -> str:
        """Name of the stage that this span is, or an empty text."""
        return str(self.shape.attributes.get(semconv.AGENTOS_STAGE_NAME, ""))

    @property
    def cancelled(self) -> bool:
        """Whether the work ended by a cancellation."""
        return self.own is not None and semconv.AGENTOS_CANCELLED in self.own

    def fail(self, error: BaseException) -> None:
        """Note that the work ended by `error`: a failure, unless it is a cancellation or an exit without a code."""
        if is_cancellation(error):
            self.note(semconv.AGENTOS_CANCELLED, True)
            return
        if isinstance(error, SystemExit) and (error.code is None or (isinstance(error.code, int) and not error.code)):
            return  # `sys.exit(0)`: how many a command says that all went well
        # An exception that passes several spans of ours is recorded once, where it arose (recording-errors.md).
        if getattr(error, "__agentos_otel_recorded__", None) != self.attempt.trace_hex:
            guard.guarded("recording an exception", self.record_exception, error)
            guard.guarded("marking an exception", _mark, error, self.attempt.trace_hex)
        self.fail_with(qualified_name(type(error)), printable(error))

    def fail_with(self, error_type: str, description: str = "") -> None:
        """Set the status to error."""
        self.error_type = error_type
        self.note(semconv.ERROR_TYPE, error_type)
        self.status_code = ERROR
        self.status_description = cut(description)[0]

    def end(self, end_time: int | None = None) -> None:
        """End the span and write it; once, and not in a fork of the process that began it."""
        runtime = self.runtime
        if self.end_ns or self.generation != runtime.generation:
            return
        self.end_ns = end_time or _ANCHOR + _clock()
        if self.started:
            runtime.open.discard(self.span_id)
        if self.attempt.sampled:
            try:
                runtime.sink(self)
            except Exception as error:  # noqa: BLE001 - the host's hot path
                guard.failed("writing a span", error)

    def write_start(self) -> None:
        """Write the start record, once: from here on the span cannot become an orphan's missing parent."""
        if not self.started and self.attempt.sampled and not self.end_ns:
            self.started = True
            self.runtime.open.add(self.span_id)
            self.runtime.append(self.record(STARTED_SPAN, 0))

    def record(self, field: int, end_ns: int) -> bytes:
        """Return the record of the journal with this span; `end_ns` 0 for its start."""
        attempt, shape = self.attempt, self.shape
        parts = [
            attempt.identity,
            self.span_id,
            encoding.PARENT + self.parent_id if self.parent_id else b"",
            shape.named,
            encoding.times(self.start_ns, end_ns),
            attempt.shared,
        ]
        if self.own or self.cut:
            parts.append(self._attributes())
        else:
            parts.append(shape.encoded)
        if self.own_events:
            parts.append(encoding.events(self.own_events))
        if self.own_links:
            parts.append(encoding.links(self.own_links))
        if self.status_code:
            # The API counts OK 1 and ERROR 2, as the wire does.
            parts.append(encoding.status(self.status_code, self.status_description))
        record = (self.encoder or self.runtime.encoder).record(field, parts)
        return self.record(field, end_ns) if len(record) > MAX_RECORD and self._shed() else record

    def _shed(self) -> int:
        """Give up what makes the record too large for the journal: a span that is cut is worth more than none.

        Returns:
            How many attributes, events and links were given up.
        """
        own = {key: kept for key, kept in (self.own or {}).items() if len(encoding.attributes({key: kept})) < MAX_TEXT}
        lost = len(self.own or ()) - len(own) + len(self.own_events or ()) + len(self.own_links or ())
        self.cut += lost
        self.own, self.own_events, self.own_links = own or None, None, None
        return lost

    def _attributes(self) -> bytes:
        own, shape = self.own or {}, self.shape
        if self.cut:
            own = {**own, semconv.AGENTOS_CUT: self.cut}
        if own.keys().isdisjoint(shape.attributes):
            return shape.encoded + encoding.attributes(own)
        return encoding.attributes({**shape.attributes, **own}) + encoding.SAMPLED


def _mark(error: BaseException, trace_hex: str) -> None:
    try:
        error.__agentos_otel_recorded__ = trace_hex  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001 - a class that refuses attributes, as it likes: recorded once more, on the parent
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
