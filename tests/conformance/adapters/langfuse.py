"""Langfuse: `@observe`; without capture by its own switch."""

from __future__ import annotations

import os

from tests.conformance.adapters import F, sink

os.environ.update(
    LANGFUSE_PUBLIC_KEY="pk", LANGFUSE_SECRET_KEY="sk", LANGFUSE_BASE_URL=f"http://127.0.0.1:{sink.port()}"
)

from langfuse import Langfuse, observe
from opentelemetry.sdk.trace.export import SpanExporter

from tests.conformance.adapters.sdk import SdkAdapter


class Product(SdkAdapter):
    title = "Langfuse"
    distribution = "langfuse"

    def __init__(self) -> None:
        super().__init__()
        exporter: SpanExporter = self.exporter
        self.client = Langfuse(span_exporter=exporter)

    def flush(self) -> None:
        self.client.flush()

    def traced(self, fn: F, /) -> F:
        return observe(capture_input=False, capture_output=False)(fn)

    def capturing(self, fn: F, /) -> F:
        return observe()(fn)

    def plain(self, fn: F, /) -> F:
        return observe()(fn)
