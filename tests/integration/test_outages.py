"""Jaeger and the Collector killed under load: what was acknowledged is there afterwards, and once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agentos_otel.query.document import document
from agentos_otel.query.jaeger import Jaeger
from agentos_otel.query.jaeger_api import JaegerApi
from tests.integration.backends import CollectorServer, JaegerServer, eventually, post, running
from tests.integration.homes import Home

pytestmark = pytest.mark.jaeger

SECONDS = float(os.environ.get("OUTAGE_SECONDS", "10"))
SPANS = 20


def batch(trace_id: bytes, text: str = "", count: int = SPANS) -> bytes:
    """Return a trace of a task: a root and its children."""
    data = TracesData()
    resource = data.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "load"
    spans = resource.scope_spans.add().spans
    root = os.urandom(8)
    for number in range(count):
        span = spans.add(trace_id=trace_id, span_id=os.urandom(8) if number else root, name=f"span {number}", kind=1)
        span.parent_span_id = root if number else b""
        span.start_time_unix_nano = time.time_ns()
        span.end_time_unix_nano = span.start_time_unix_nano + 1000
        span.attributes.add(key="task_id").value.string_value = f"task-{trace_id.hex()}"
        if text:
            span.attributes.add(key="text").value.string_value = text
    return bytes(data.SerializeToString())


class Load:
    """Sends traces until told to stop, as the forwarder does: what is not acknowledged is sent again.

    A `pause` between two, in seconds, is for what takes them faster than they can be read back.
    """

    def __init__(self, endpoint: str, spans: int = SPANS, pause: float = 0) -> None:
        self._spans = spans
        self._pause = pause
        self.acknowledged: list[str] = []
        self.refused = 0
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._stop.is_set():
            trace_id = os.urandom(16)
            body = batch(trace_id, count=self._spans)
            while not self._sent(body):
                self.refused += 1
                if self._stop.wait(0.05):
                    return
            self.acknowledged.append(trace_id.hex())
            self._stop.wait(self._pause)

    def _sent(self, body: bytes) -> bool:
        try:
            return post(self._endpoint, body) == 200
        except OSError:
            return False


def missing(server: JaegerServer, traces: list[str], spans: int = SPANS) -> list[tuple[str, int]]:
    """Return the traces that do not have every span once, with the number of those they have."""
    jaeger = Jaeger(JaegerApi(server.url))
    try:
        found = {}
        for trace_id in traces:
            ids = [
                span.span_id for part in jaeger.trace(trace_id) for scope in part.scope_spans for span in scope.spans
            ]
            found[trace_id] = len(ids) if len(ids) == len(set(ids)) else -len(ids)
        return [(trace_id, count) for trace_id, count in found.items() if count != spans]
    finally:
        jaeger.api.close()


@pytest.mark.timeout(120 + 6 * SECONDS)
def test_no_span_is_lost_or_doubled_when_jaeger_and_the_collector_are_killed_under_load(tmp_path: Path) -> None:
    jaeger = JaegerServer(tmp_path / "jaeger")
    collector = CollectorServer(tmp_path / "collector", f"{jaeger.address}:14317")
    with running(jaeger, collector):
        with Load(collector.endpoint) as load:
            for victims in ([jaeger], [collector], [jaeger, collector]):
                time.sleep(SECONDS / 5)
                for victim in victims:
                    victim.kill()
                time.sleep(SECONDS / 10)
                for victim in victims:
                    victim.start()
        assert load.refused
        assert len(load.acknowledged) > 10
        assert eventually(lambda: not missing(jaeger, load.acknowledged), 60), missing(jaeger, load.acknowledged)


def test_a_task_goes_from_a_program_through_an_agent_and_a_gateway(tmp_path: Path) -> None:
    jaeger = JaegerServer(tmp_path / "jaeger")
    gateway = CollectorServer(tmp_path / "gateway", f"{jaeger.address}:14317")
    agent = CollectorServer(tmp_path / "agent", gateway.grpc, config="agent.yaml")
    with running(agent):
        trace_id = os.urandom(16)
        assert post(agent.endpoint, batch(trace_id)) == 200
        with running(jaeger, gateway):  # started later: what came before waits on disk
            assert eventually(lambda: not missing(jaeger, [trace_id.hex()]))


def test_a_request_over_the_usual_limit_of_a_message_passes(jaeger: JaegerServer, collector: CollectorServer) -> None:
    trace_id = os.urandom(16)
    assert post(collector.endpoint, batch(trace_id, "x" * 25_000, count=300)) == 200
    assert eventually(lambda: not missing(jaeger, [trace_id.hex()], spans=300))


def test_a_text_that_jaeger_cannot_keep_is_cut_and_holds_nothing_up(
    jaeger: JaegerServer, collector: CollectorServer
) -> None:
    """Jaeger refuses a request with an attribute over 65,000 bytes as unavailable: it would be sent again for ever."""
    trace_id = os.urandom(16)
    assert post(collector.endpoint, batch(trace_id, "ü" * 200_000, count=2)) == 200
    assert eventually(lambda: not missing(jaeger, [trace_id.hex()], spans=2))
    source = Jaeger(JaegerApi(jaeger.url))
    spans = [span for part in source.trace(trace_id.hex()) for scope in part.scope_spans for span in scope.spans]
    source.api.close()
    (text,) = {pair.value.string_value for span in spans for pair in span.attributes if pair.key == "text"}
    assert len(text.encode()) <= 32768
    assert text.endswith("… (cut)")


WORKING = """
import time
from agentos_otel import stage, task, tool
@tool
def step(): pass
print("begun", flush=True)
while True:
    with task("work"):
        for name in ("intent", "execution"):
            with stage(name):
                for _ in range(10): step()
    time.sleep(0.02)  # as many tasks as are read back in a while
"""


@pytest.mark.timeout(180 + 6 * SECONDS)
def test_every_span_of_a_killed_program_arrives_although_jaeger_and_the_collector_were_killed(tmp_path: Path) -> None:
    jaeger = JaegerServer(tmp_path / "jaeger")
    collector = CollectorServer(tmp_path / "collector", f"{jaeger.address}:14317")
    home = Home(tmp_path, jaeger.url, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
    with running(jaeger, collector):
        command = [sys.executable, "-c", WORKING]
        with subprocess.Popen(command, env=home.environ, stdout=subprocess.PIPE) as program:
            assert program.stdout
            assert program.stdout.readline() == b"begun\n"
            for victims in ([jaeger], [collector], [jaeger, collector]):
                time.sleep(SECONDS / 5)
                for victim in victims:
                    victim.kill()
                time.sleep(SECONDS / 10)
                for victim in victims:
                    victim.start()
            program.kill()
        space = home.workspace()
        try:
            space.refresh()  # what the program left open is finished by who looks first
            tasks = space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=100_000)
            assert len(tasks) > 3
            sent = home.shell("forward", "--once")
            assert sent.returncode == 0, sent.stderr
            source = space.jaeger()

            def different() -> list[str]:
                wrong = []
                for task in tasks:
                    here = sorted(span["span_id"] for span in document(space, task["task_id"])["spans"])
                    parts = source.trace(task["trace_id"])
                    spans = [span for part in parts for scope in part.scope_spans for span in scope.spans]
                    if sorted(span.span_id.hex() for span in spans if span.name != "task started") != here:
                        wrong.append(task["task_id"])
                return wrong

            assert eventually(lambda: not different(), 60), different()
        finally:
            space.close()
