"""Laminar: `@observe`; its own switches leave content out."""

from __future__ import annotations

import logging
from typing import Any

from lmnr import Laminar, observe
from opentelemetry import trace

from tests.conformance.adapters import F, sink
from tests.conformance.adapters.sdk import SdkAdapter


class Product(SdkAdapter):
    title = "Laminar"
    distribution = "lmnr"

    def __init__(self) -> None:
        super().__init__()
        Laminar.initialize(
            project_api_key="k",
            base_url="http://127.0.0.1",
            http_port=sink.port(),
            grpc_port=sink.port(),
            instruments=set(),
            force_http=True,
            otel_logger_level=logging.CRITICAL,
        )
        provider: Any = trace.get_tracer_provider()
        provider.add_span_processor(self.processor)

    def traced(self, fn: F, /) -> F:
        return observe(ignore_input=True, ignore_output=True)(fn)

    def capturing(self, fn: F, /) -> F:
        return observe()(fn)

    def plain(self, fn: F, /) -> F:
        return observe()(fn)
