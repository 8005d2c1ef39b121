"""Measures what design 4 promises, as ratios to the OpenTelemetry SDK in the same run; asserts nothing.

Each figure is the median of alternating runs of both sides, so that a machine that changes its speed changes both.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

REFERENCE = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
class Null(SpanExporter):
    def export(self, spans): return SpanExportResult.SUCCESS
    def shutdown(self): pass
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Null()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("bench")
def decorate(fn):
    def w(*a, **k):
        with tracer.start_as_current_span("child"):
            return fn(*a, **k)
    return w
"""
OURS = "from agentos_otel import task, tool, stage, agent\ndecorate = {kind}\n"
LOOP = """
import time
def bare(x): return x + 1
child = decorate(bare)
def root():
    for _ in range(20000): child(1)
root() if {warm} else None
began = time.perf_counter(); {call}; spent = time.perf_counter() - began
began = time.perf_counter()
for _ in range(20000): bare(1)
print((spent - (time.perf_counter() - began)) / 20000 * 1e6)
"""
SHORT_OURS = """
from agentos_otel import stage
@stage("coordination", joins={"intent_id": "intent"})
def coordinate(intent): pass
coordinate("intent_of_the_bench")
"""
SHORT_SDK = """
import os
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=os.environ['BENCH_SINK'])))
with provider.get_tracer("x").start_as_current_span("stage coordination"): pass
"""


def printed(code: str) -> float:
    """Return the number that a program prints."""
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def wall(code: str) -> Callable[[], float]:
    """Return a measurement of a whole process, in milliseconds."""

    def measure() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return (time.perf_counter() - began) * 1000

    return measure


def compare(
    name: str, goal: str, unit: str, ours: Callable[[], float], reference: Callable[[], float], rounds: int = 7
) -> None:
    """Print one line: both medians and their ratio."""
    pairs = [(ours(), reference()) for _ in range(rounds)]
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"{name:<34} {mine:9.2f} {unit}  reference {theirs:9.2f} {unit}  x{ratio:.2f}  goal {goal}")


class Sink(BaseHTTPRequestHandler):
    """Takes every export, as a Collector beside the program would."""

    def do_POST(self) -> None:
        """Answer with success."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def main() -> None:
    """Run all comparisons."""
    sink = HTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    os.environ["BENCH_SINK"] = f"http://127.0.0.1:{sink.server_port}/v1/traces"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AGENTOS_OTEL_STATE_DIR"] = str(Path(folder) / "state")
        reference = REFERENCE + LOOP.format(warm="True", call="root()")
        for kind, goal in (("tool", "<= x0.40"), ("stage", "<= x0.55"), ("agent", "<= x0.55")):
            code = OURS.format(kind=kind) + LOOP.format(warm="False", call="task(root)()")
            compare(
                f"@{kind} call, journal on", goal, "us", lambda code=code: printed(code), lambda: printed(reference), 5
            )
        compare(
            "import agentos_otel", "<= x0.75", "ms", wall("import agentos_otel"), wall("import opentelemetry.sdk.trace")
        )
        compare(
            "… and from it task, stage", "<= x0.75", "ms",
            wall("from agentos_otel import task, stage"), wall("import opentelemetry.sdk.trace"),
        )  # fmt: skip
        try:
            import opentelemetry.exporter.otlp.proto.http  # noqa: F401
        except ImportError:
            print("a short process: not compared, opentelemetry-exporter-otlp-proto-http is not installed")
        else:
            compare("a short process, joined by id", "<= x0.45", "ms", wall(SHORT_OURS), wall(SHORT_SDK))


if __name__ == "__main__":
    main()
