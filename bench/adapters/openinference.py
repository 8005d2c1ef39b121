"""OpenInference (Arize Phoenix), for `calls.py` in a venv of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openinference.instrumentation import TraceConfig, TracerProvider, using_attributes
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from reference import Null

REQUIRES = ["openinference-instrumentation", "opentelemetry-sdk"]


def _tracer(config: TraceConfig) -> Any:
    provider = TracerProvider(config=config)
    provider.add_span_processor(BatchSpanProcessor(Null()))
    return provider.get_tracer("bench")


_hidden, _shown = _tracer(TraceConfig(hide_inputs=True, hide_outputs=True)), _tracer(TraceConfig())


def root(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a pipeline; its ids go to every span."""

    def body(*args: Any) -> Any:
        with using_attributes(session_id="sess-0123456789", metadata={"task_id": "task-0123456789"}):
            return fn(*args)

    return _hidden.chain(name="pipeline")(body)  # type: ignore[no-any-return]


child = child_async = child_async_generator = _hidden.agent(name="child")
child_with_payload = _shown.agent(name="child")
