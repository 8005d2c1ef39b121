"""The OpenTelemetry SDK: `start_as_current_span` as a decorator."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.conformance.adapters import F, name_of
from tests.conformance.adapters.sdk import SdkAdapter


class Product(SdkAdapter):
    title = "OTel SDK"
    distribution = "opentelemetry-sdk"
    captures = False

    def __init__(self) -> None:
        super().__init__()
        if not isinstance(trace.get_tracer_provider(), TracerProvider):
            provider = TracerProvider()
            provider.add_span_processor(self.processor)
            trace.set_tracer_provider(provider)
        self.tracer = trace.get_tracer("conformance")

    def traced(self, fn: F, /) -> F:
        return self.tracer.start_as_current_span(name_of(fn))(fn)
