"""OpenInference (Arize Phoenix): `@tracer.chain`."""

from __future__ import annotations

from openinference.instrumentation import TracerProvider
from opentelemetry import trace

from tests.conformance.adapters import F, name_of
from tests.conformance.adapters.sdk import SdkAdapter


class Product(SdkAdapter):
    title = "OpenInference"
    distribution = "openinference-instrumentation"

    def __init__(self) -> None:
        super().__init__()
        provider = TracerProvider()
        provider.add_span_processor(self.processor)
        trace.set_tracer_provider(provider)
        self.tracer = provider.get_tracer("conformance")

    def traced(self, fn: F, /) -> F:
        return self.tracer.chain(name=name_of(fn))(fn)
