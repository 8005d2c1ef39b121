"""What the whole way costs, from a traced program through a Collector into Jaeger; prints one JSON object.

    python whole_way.py [SPANS]                 all of it, beside the OpenTelemetry SDK on the same load
    python whole_way.py program KIND SPANS URL  (by itself) one program that makes that many as fast as it can

Collector and Jaeger are the real ones with the files of collector/, new for each program. The load is tasks of 100
spans with 12 attributes each. CPU is per span: of the program with all its threads per span that it made, without its
start; of the servers per span that has arrived. What has arrived is counted in Jaeger, trace by trace.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
SPANS: Final = 100_000
PER_TASK: Final = 100
ROUNDS: Final = 3
QUIET_S: Final = 3.0
"""How long nothing more has to arrive before what has not is lost."""


def counted(url: str, name: str) -> int:
    """Return a counter of the Collector's."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:  # noqa: S310 - a server of this benchmark
        values = re.findall(rf"^{name}(?:_total)?\{{.*\}} (\S+)$", answer.read().decode(), re.M)
    return sum(int(float(value)) for value in values)


# --- the program ---


def produce(kind: str, spans: int, url: str) -> None:
    """Make spans, wait until they are sent, and print what it took."""
    task, sent = _sdk() if kind == "sdk" else _ours(url)
    began, cpu = time.perf_counter(), time.process_time()
    traces = [task() for _ in range(spans // PER_TASK)]
    made, waiting = time.perf_counter() - began, time.thread_time()
    sent()
    cpu = time.process_time() - cpu - (time.thread_time() - waiting)  # looking on is no part of it
    print(json.dumps({"made_s": made, "cpu_s": cpu, "traces": traces}))


def _ours(url: str) -> tuple[Callable[[], str], Callable[[], object]]:
    from adapters import ours
    from calls import ATTRIBUTES

    from agentos_otel import current_task

    child = ours.child_with_attributes(lambda x: x, ATTRIBUTES)

    @ours.root
    def task() -> str:
        for _ in range(PER_TASK - 1):
            child(1)
        return current_task().trace_id

    def sent() -> None:
        Growth(lambda: counted(url, "otelcol_receiver_accepted_spans")).wait()

    return task, sent


def _sdk() -> tuple[Callable[[], str], Callable[[], object]]:
    from calls import ATTRIBUTES
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # Without an id of a task the gateway would sample them.
    attributes = {**ATTRIBUTES, "task_id": "task-0123456789", "session_id": "sess-0123456789"}
    provider = TracerProvider(resource=Resource.create({"service.name": "sdk"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("bench")

    def task() -> str:
        with tracer.start_as_current_span("pipeline", attributes=attributes) as root:
            for _ in range(PER_TASK - 1):
                with tracer.start_as_current_span("child") as span:
                    span.set_attributes(attributes)
        return trace.format_trace_id(root.get_span_context().trace_id)

    return task, provider.force_flush


class Growth:
    """Looks at a counter until it no longer grows."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._now = count()
        self.at = time.perf_counter()
        """When it was last seen to have grown."""

    def wait(self, until: Callable[[], bool] = lambda: True) -> None:
        """Return once the counter has stood still for a while, all of it after `until` was true."""
        quiet_since = self.at
        while time.perf_counter() - quiet_since < QUIET_S:
            time.sleep(0.2)
            count = self._count()
            if count > self._now:
                self._now, self.at = count, time.perf_counter()
            quiet_since = max(quiet_since, self.at) if until() else time.perf_counter()


# --- the measurement ---


def measure(kind: str, spans: int) -> dict[str, float]:
    """Run one program with servers of its own; return what it and they took."""
    from tests.integration.backends import CollectorServer, JaegerServer, running

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jaeger = JaegerServer(folder / "jaeger")
        collector = CollectorServer(folder / "collector", f"{jaeger.address}:14317")
        with running(jaeger, collector):
            url = f"http://{collector.address}:8888"
            servers = {"collector": collector, "jaeger": jaeger}
            before = {who: _cpu(server.process) for who, server in servers.items()}
            growth = Growth(lambda: counted(url, "otelcol_exporter_sent_spans"))
            began = time.perf_counter()
            said = _program(kind, spans, url, folder / "state", collector.endpoint, growth)
            took = {who: _cpu(server.process) - before[who] for who, server in servers.items()}
            arrived = sum(_spans_in(jaeger.url, trace_id) for trace_id in said["traces"])
    return {
        "program_us": said["cpu_s"] / spans * 1e6,
        **{f"{who}_us": seconds / max(1, arrived) * 1e6 for who, seconds in took.items()},
        "made_per_s": spans / said["made_s"],
        "spans_per_s": arrived / max(growth.at - began, 0.001),
        "lost": 1 - arrived / spans,
    }


def _program(kind: str, spans: int, url: str, state_dir: Path, endpoint: str, growth: Growth) -> dict[str, Any]:
    """Run the program, and return what it printed once nothing more arrives at Jaeger."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTOS_"))}
    environ |= {"AGENTOS_OTEL_STATE_DIR": str(state_dir), "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    command = [sys.executable, __file__, "program", kind, str(spans), url]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
        reader.start()
        growth.wait(until=lambda: process.poll() is not None)
        reader.join()
    if process.returncode:
        raise SystemExit(f"the program of {kind} exited {process.returncode}")
    return json.loads(lines[-1])  # type: ignore[no-any-return]


def _cpu(process: subprocess.Popen[bytes] | None) -> float:
    """Return the seconds of CPU that a process has taken."""
    if process is None:
        return 0.0
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _spans_in(jaeger_url: str, trace_id: str) -> int:
    """Return how many spans Jaeger has of a trace, each counted once; the marker of a task's start is none."""
    try:
        with urllib.request.urlopen(f"{jaeger_url}/api/v3/traces/{trace_id}", timeout=30) as answer:  # noqa: S310
            found = json.load(answer)["result"]["resourceSpans"]
    except urllib.error.HTTPError:
        return 0
    spans = [span for resource in found for scope in resource["scopeSpans"] for span in scope["spans"]]
    return len({span["spanId"] for span in spans if span["name"] != "task started"})


def main() -> None:
    """Measure both in turn and print the medians."""
    if sys.argv[1:2] == ["program"]:
        produce(sys.argv[2], int(sys.argv[3]), sys.argv[4])
        return
    built = subprocess.run([HERE.parent / "collector" / "build.sh", "--where"], capture_output=True, check=False)
    if built.returncode:
        print(json.dumps({}))
        return
    spans = int(sys.argv[1]) if sys.argv[1:] else SPANS
    rounds = []
    for _ in range(ROUNDS):
        rounds.append({kind: measure(kind, spans) for kind in ("sdk", "ours")})
        print(json.dumps(rounds[-1]), file=sys.stderr)
    figures = rounds[0]["ours"]
    print(
        json.dumps(
            {
                kind: {name: round(statistics.median(r[kind][name] for r in rounds), 4) for name in figures}
                for kind in ("ours", "sdk")
            }
        )
    )


if __name__ == "__main__":
    main()
