"""MLflow Tracing: `@mlflow.trace`, beside the process's provider and with an OTLP endpoint, as for any OTLP backend."""

from __future__ import annotations

import os

from tests.conformance.adapters import F, sink

os.environ.update(
    MLFLOW_DISABLE_TELEMETRY="true",
    MLFLOW_USE_DEFAULT_TRACER_PROVIDER="false",
    MLFLOW_TRACKING_URI=f"http://127.0.0.1:{sink.port()}",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://127.0.0.1:{sink.port()}/v1/traces",
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf",
)

import mlflow
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.conformance.adapters.sdk import SdkAdapter


class Product(SdkAdapter):
    title = "MLflow"
    distribution = "mlflow-tracing"

    def __init__(self) -> None:
        super().__init__()
        provider = trace.get_tracer_provider()
        if not isinstance(provider, TracerProvider):
            provider = TracerProvider()
            trace.set_tracer_provider(provider)
        provider.add_span_processor(self.processor)

    def traced(self, fn: F, /) -> F:
        return mlflow.trace(fn)
