"""What whole processes cost: an import, and a short process that joins its task by an id; prints one JSON object.

Ours and the reference follow each other; the ratio is the median over the pairs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

ROUNDS = 15
STAGE = """
from agentos_otel import stage
@stage("coordination", joins={"intent_id": "intent"})
def coordinate(intent): pass
coordinate("intent_of_the_bench")
"""
BARE = """
def coordinate(intent): pass
coordinate("intent_of_the_bench")
"""
MAP = """
name = "bench"
[[point]]
target = "bench_pipeline:coordinate"
kind = "stage"
name = "coordination"
joins = { intent_id = "intent" }
"""
SDK = """
import os
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=os.environ['BENCH_SINK'])))
with provider.get_tracer("x").start_as_current_span("stage coordination"): pass
"""


class Sink(BaseHTTPRequestHandler):
    """Takes every export, as a Collector beside the program would."""

    def do_POST(self) -> None:
        """Answer with success."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def seconds(arguments: Sequence[str], folder: Path) -> float:
    """Return the milliseconds of a process, the interpreter's start included."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, check=True)
    return (time.perf_counter() - began) * 1000


def compare(ours: Sequence[str], reference: Sequence[str], folder: Path, *, start: bool = True) -> dict[str, float]:
    """Return both medians in milliseconds and the median ratio; without `start` the bare interpreter is taken off."""
    seconds(ours, folder), seconds(reference, folder)  # the first of each writes byte code
    pairs = []
    for _ in range(ROUNDS):
        base = 0 if start else seconds(["-c", "pass"], folder)
        pairs.append((seconds(ours, folder) - base, seconds(reference, folder) - base))
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return {"ms": round(mine, 1), "reference_ms": round(theirs, 1), "ratio": round(ratio, 3)}


def main() -> None:
    """Measure everything."""
    sink = HTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sdk.py").write_text(SDK)
        (folder / "decorated.py").write_text(STAGE)
        (folder / "bench_pipeline.py").write_text(BARE)
        (folder / "map.toml").write_text(MAP)
        os.environ.update(
            BENCH_SINK=f"http://127.0.0.1:{sink.server_port}/v1/traces", PYTHONPATH=name,
            AGENTOS_OTEL_STATE_DIR=str(folder / "state"), AGENTOS_OTEL_MAP=str(folder / "map.toml"),
        )  # fmt: skip
        sdk_import = ["-c", "import opentelemetry.sdk.trace"]
        found = {
            "import agentos_otel": compare(["-c", "import agentos_otel"], sdk_import, folder, start=False),
            "from agentos_otel import task, stage": compare(
                ["-c", "from agentos_otel import task, stage"], sdk_import, folder, start=False
            ),
            "short process, decorators": compare(["decorated.py"], ["sdk.py"], folder),
            "short process, by a map": compare(["-m", "agentos_otel.auto", "-m", "bench_pipeline"], ["sdk.py"], folder),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
