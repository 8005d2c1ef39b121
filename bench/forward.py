"""What it costs to send spans to an OTLP/HTTP server, beside the OpenTelemetry SDK; prints one JSON object.

    python forward.py                   all of it
    python forward.py program KIND N    (by itself) one program that makes N spans of 12 attributes as fast as it can

The server is a process of its own and counts what arrives. CPU is that of the program with all its threads: what it
costs to make a span, to keep it and to send it.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
SPANS = 200_000
ROUNDS = 3


class Counter(BaseHTTPRequestHandler):
    """Counts the spans of each request; GET says how many."""

    protocol_version = "HTTP/1.1"
    count = 0

    def do_POST(self) -> None:
        """Take a request."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        body = self.rfile.read(int(self.headers["content-length"]))
        for found in ExportTraceServiceRequest.FromString(body).resource_spans:
            Counter.count += sum(len(scope.spans) for scope in found.scope_spans)
        self._answer(b"")

    def do_GET(self) -> None:
        """Say how many spans have arrived."""
        self._answer(str(Counter.count).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def arrived(url: str) -> int:
    """Return how many spans the server has."""
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - the server of this benchmark
        return int(answer.read())


def produce(kind: str, count: int) -> None:
    """Make spans, wait until no more arrive, and print what it took."""
    url = os.environ["BENCH_SINK"]
    from calls import ATTRIBUTES

    if kind == "sdk":
        child, root = _sdk(url)
    else:
        from adapters import ours

        child, root = ours.child_with_attributes(lambda x: x, ATTRIBUTES), ours.root

    def pipeline() -> None:
        for _ in range(count):
            child(1)

    began, before = time.perf_counter(), arrived(url)
    root(pipeline)()
    made, got, since = time.perf_counter(), arrived(url), time.perf_counter()
    while time.perf_counter() - since < 3:
        time.sleep(0.02)
        now = arrived(url)
        if now > got:
            got, since = now, time.perf_counter()
        if got - before > count:
            break
    cpu = time.process_time() / (count + 1)
    took = {"made_s": made - began, "arrived_s": since - began, "spans": got - before, "cpu_us": cpu * 1e6}
    print(json.dumps(took))


def _sdk(url: str) -> Any:
    import reference
    from calls import ATTRIBUTES
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces")))
    reference.tracer = provider.get_tracer("bench")
    return reference.child_with_attributes(lambda x: x, ATTRIBUTES), reference.root


def program(kind: str, url: str, state_dir: str, endpoint: str) -> dict[str, float]:
    """Run one program and return what it printed."""
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        "BENCH_SINK": url, "AGENTOS_OTEL_STATE_DIR": state_dir, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
    }  # fmt: skip
    command = [sys.executable, __file__, "program", kind, str(SPANS)]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def backlog(url: str) -> dict[str, float]:
    """Send what a program without an endpoint has left, by the forwarder alone."""
    from agentos_otel import forwarding, settings
    from agentos_otel.export.forwarder import Forwarder

    with tempfile.TemporaryDirectory() as folder:
        left = dict(os.environ, BENCH_SINK=url, AGENTOS_OTEL_STATE_DIR=folder)
        left.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
        subprocess.run(
            [sys.executable, __file__, "program", "ours", str(SPANS)], env=left, check=True, capture_output=True
        )
        found = settings.read({"AGENTOS_OTEL_STATE_DIR": folder, "OTEL_EXPORTER_OTLP_ENDPOINT": url}).destination()
        if found is None:
            raise SystemExit("no endpoint")
        forwarder = Forwarder(Path(folder), forwarding.open_sender(found))
        peak = _memory()
        began, cpu = time.perf_counter(), time.process_time()
        sent = forwarder.pump().sent
        cpu, took = time.process_time() - cpu, time.perf_counter() - began
        forwarder.close()
        return {"spans_per_s": sent / took, "cpu_us": cpu / sent * 1e6, "grown_mb": _memory() - peak}


def _memory() -> float:
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


def main() -> None:
    """Measure both in turn and print the medians."""
    if sys.argv[1:2] == ["program"]:
        produce(sys.argv[2], int(sys.argv[3]))
        return
    if sys.argv[1:2] == ["server"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
        print(server.server_port, flush=True)
        server.serve_forever()
    with subprocess.Popen([sys.executable, __file__, "server"], stdout=subprocess.PIPE, text=True) as server:
        url = f"http://127.0.0.1:{next(iter(server.stdout or ())).strip()}"
        try:
            rounds: list[dict[str, Any]] = []
            for _ in range(ROUNDS):
                with tempfile.TemporaryDirectory() as folder:
                    rounds.append({kind: program(kind, url, folder, url) for kind in ("sdk", "ours")})
                with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as silent:
                    endpoints = {"alone": "", "hung": f"http://127.0.0.1:{silent.getsockname()[1]}"}
                    for name, endpoint in endpoints.items():
                        rounds[-1][name] = program("ours", url, f"{folder}/{name}", endpoint)
                rounds[-1]["backlog"] = backlog(url)
                print(json.dumps(rounds[-1]), file=sys.stderr)
        finally:
            server.terminate()
    print(json.dumps(_summary(rounds)))


def _summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    import statistics

    def median(kind: str, figure: str) -> float:
        return statistics.median(found[kind][figure] for found in rounds)

    summary: dict[str, Any] = {
        kind: {
            "spans_per_s": round(median(kind, "spans") / median(kind, "arrived_s")),
            "lost": max(0.0, round(1 - median(kind, "spans") / (SPANS + 1), 4)),
            "us": round(median(kind, "cpu_us"), 2),
        }
        for kind in ("sdk", "ours")
    }
    summary["hung"] = round(statistics.median(r["hung"]["cpu_us"] / r["alone"]["cpu_us"] for r in rounds), 3)
    summary["ratio"] = round(statistics.median(r["ours"]["cpu_us"] / r["sdk"]["cpu_us"] for r in rounds), 3)
    summary["backlog"] = {name: round(median("backlog", name), 2) for name in ("spans_per_s", "cpu_us", "grown_mb")}
    return summary


if __name__ == "__main__":
    main()
