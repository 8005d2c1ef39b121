"""The host's exporter and our forwarder send to one Collector: every span arrives there once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.otlp_servers import HttpSink

HOST = """
import os, sys
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from agentos_otel import stage, task, tool

@tool
def work(number):
    with trace.get_tracer("host").start_as_current_span(f"GET {number}"):
        pass

@stage("execution")
def execute(number):
    work(number)

processor = {"batch": BatchSpanProcessor, "simple": SimpleSpanProcessor}[sys.argv[1]]
provider = TracerProvider()
provider.add_span_processor(processor(OTLPSpanExporter()))
if sys.argv[2] == "before":
    trace.set_tracer_provider(provider)
with task("first"):
    execute(1)
if sys.argv[2] == "after":
    trace.set_tracer_provider(provider)
with task("second"):
    execute(2)
execute(3)
provider.force_flush()
if sys.argv[3] == "killed":
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def collector() -> Iterator[HttpSink]:
    made = HttpSink()
    yield made
    made.close()


@pytest.mark.parametrize("processor", ["batch", "simple"])
@pytest.mark.parametrize("end", ["returns", "killed"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_no_span_arrives_twice_and_none_is_missing(
    tmp_path: Path, collector: HttpSink, processor: str, end: str, when: str
) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTOS_"))}
    environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "AGENTOS_OTEL_STATE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", HOST, processor, when, end]
    host = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (host.returncode, host.stderr) == (0 if end == "returns" else -9, "")
    for _ in range(2):
        forward = [sys.executable, "-m", "agentos_otel", "forward", "--once"]
        done = subprocess.run(forward, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    spans = [span for span in collector.spans if span.name != "task started"]
    assert [name for name, count in Counter(span.span_id for span in spans).items() if count > 1] == []
    # Without a provider the host's own instrumentation records nothing: that is its choice.
    foreign = ["GET 1", "GET 2", "GET 3"] if when == "before" else ["GET 2", "GET 3"]
    assert sorted(span.name for span in spans) == [
        *foreign, *["execute_tool work"] * 3, *["stage execution"] * 3, "task first", "task second",
    ]  # fmt: skip
    assert len({span.trace_id for span in spans}) == 3
