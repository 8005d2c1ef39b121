"""The reference of all ratios: a closure around `start_as_current_span` of the SDK, batch processor, null exporter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

IDS = {"session.id": "sess-0123456789", "task.id": "task-0123456789"}


class Null(SpanExporter):
    """Takes every span and forgets it."""

    def export(self, spans: Any) -> SpanExportResult:
        """Say that all went well."""
        return SpanExportResult.SUCCESS


# Not the global provider: ours would find it there and send its spans through it.
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Null()))
tracer = provider.get_tracer("bench")


def root(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a pipeline."""
    return _wrap(fn, "pipeline", IDS)


def child(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap one call of it."""
    return _wrap(fn, "child", None)


def child_with_attributes(fn: Callable[..., Any], attributes: Mapping[str, Any]) -> Callable[..., Any]:
    """Wrap one call whose span gets `attributes`."""

    def wrapper(*args: Any) -> Any:
        with tracer.start_as_current_span("child") as span:
            span.set_attributes(attributes)
            return fn(*args)

    return wrapper


def child_with_payload(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap one call whose arguments and result are kept as JSON."""

    def wrapper(*args: Any) -> Any:
        with tracer.start_as_current_span("child") as span:
            span.set_attribute("input.value", json.dumps(args))
            result = fn(*args)
            span.set_attribute("output.value", json.dumps(result))
            return result

    return wrapper


def child_async(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap one coroutine function."""

    async def wrapper(*args: Any) -> Any:
        with tracer.start_as_current_span("child"):
            return await fn(*args)

    return wrapper


def child_async_generator(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap one async generator function."""

    async def wrapper(*args: Any) -> Any:
        with tracer.start_as_current_span("child"):
            async for item in fn(*args):
                yield item

    return wrapper


def _wrap(fn: Callable[..., Any], name: str, attributes: Mapping[str, Any] | None) -> Callable[..., Any]:
    def wrapper(*args: Any) -> Any:
        with tracer.start_as_current_span(name, attributes=attributes):
            return fn(*args)

    return wrapper
