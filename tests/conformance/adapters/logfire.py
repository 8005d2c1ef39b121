"""Pydantic Logfire: `@logfire.instrument`, with generators allowed, as its documentation says for them."""

from __future__ import annotations

import inspect

import logfire

from tests.conformance.adapters import F, name_of
from tests.conformance.adapters.sdk import SdkAdapter


class Product(SdkAdapter):
    title = "Logfire"
    distribution = "logfire"

    def __init__(self) -> None:
        super().__init__()
        logfire.configure(
            send_to_logfire=False,
            console=False,
            inspect_arguments=False,
            metrics=False,
            service_name="conformance",
            additional_span_processors=[self.processor],
        )

    def traced(self, fn: F, /) -> F:
        generator = inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn)
        name = name_of(fn)
        return logfire.instrument(name, allow_generator=generator, extract_args=False)(fn)

    def capturing(self, fn: F, /) -> F:
        return logfire.instrument(name_of(fn), record_return=True)(fn)
