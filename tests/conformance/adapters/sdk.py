"""What products on the OpenTelemetry SDK have in common: spans are read from an exporter in memory."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.conformance.adapters import Adapter, Seen


class SdkAdapter(Adapter):
    """Give `processor` to the product; it keeps what ends."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """What the product appends to a function's name."""

    def __init__(self) -> None:
        self.began = 0
        self.exporter = InMemorySpanExporter()
        self.processor = SimpleSpanProcessor(self.exporter)

    @contextmanager
    def recording(self, directory: Path) -> Iterator[None]:
        gc.collect()  # what earlier tests have left unfinished ends before this one begins
        self.flush()
        self.exporter.clear()
        self.began = time.time_ns()
        yield

    def flush(self) -> None:
        """Export what the product still holds."""

    def finished(self) -> list[ReadableSpan]:
        """Return the SDK's spans in the order of their starts."""
        spans = [span for span in self.exporter.get_finished_spans() if (span.start_time or 0) >= self.began]
        return sorted(spans, key=lambda span: span.start_time or 0)

    def name_of(self, span: ReadableSpan) -> str:
        """Return the last part of the name, without what the product appends."""
        name = span.name
        for suffix in self.suffixes:
            name = name.removesuffix(suffix)
        return name.rpartition(".")[2].rpartition(" ")[2]

    def spans(self) -> list[Seen]:
        self.flush()
        finished = self.finished()
        names: dict[int, str] = {}
        for span in finished:
            if span.context is not None:
                names[span.context.span_id] = self.name_of(span)
        return [self._seen(span, names) for span in finished]

    def _seen(self, span: ReadableSpan, names: dict[int, str]) -> Seen:
        assert span.context is not None
        status = span.status.status_code.name.lower().replace("unset", "ok")
        kinds = [
            str(value) for event in span.events for key, value in (event.attributes or {}).items() if "type" in key
        ]
        if status != "error" and any(kind.endswith("CancelledError") for kind in kinds):
            status = "cancelled"
        parent = names.get(span.parent.span_id, "unknown") if span.parent else None
        attributes: dict[str, Any] = dict(span.attributes or {})
        ids = f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"
        return Seen(self.name_of(span), parent, status, *ids, attributes)
