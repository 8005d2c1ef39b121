"""The OpenTelemetry SDK: `start_as_current_span` as a decorator."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.conformance.adapters import F
from tests.conformance.adapters.sdk import SdkAdapter


class Product(SdkAdapter):
    title = "OTel SDK"
    distribution = "opentelemetry-sdk"

    def __init__(self) -> None:
        super().__init__()
        provider = TracerProvider()
        provider.add_span_processor(self.processor)
        trace.set_tracer_provider(provider)
        self.tracer = provider.get_tracer("conformance")

    def traced(self, fn: F, /) -> F:
        return self.tracer.start_as_current_span(fn.__name__)(fn)
