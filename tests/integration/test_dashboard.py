"""The dashboard's expressions, asked of a real Prometheus that reads a real Collector."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from tests.integration.backends import CONFIGS, CollectorServer, JaegerServer, eventually, free_address, post, running
from tests.integration.otlp_servers import Answer, GrpcSink

pytestmark = pytest.mark.jaeger

DASHBOARD: dict[str, Any] = json.loads((CONFIGS / "grafana" / "dashboards" / "stages.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
# Where nothing went wrong there is nothing to count; the rate of nothing is still a value.
QUIET = {"otelcol_receiver_refused_spans", "otelcol_exporter_send_failed_spans",
         "otelcol_exporter_enqueue_failed_spans"}  # fmt: skip


def work(number: int) -> bytes:
    """Return one task: a stage that fails, with an agent."""
    data = TracesData()
    resource = data.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "pipeline"
    resource.resource.attributes.add(key="service.instance.id").value.string_value = f"run{number}"
    spans = resource.scope_spans.add().spans
    trace_id = os.urandom(16)
    for kind, attributes in (
        ("task", {}),
        ("stage", {"agentos.stage.name": "intent", "error.type": "ValueError"}),
        ("agent", {"gen_ai.agent.name": "planner"}),
    ):
        span = spans.add(trace_id=trace_id, span_id=os.urandom(8), name=f"{kind} x", kind=1)
        span.start_time_unix_nano = 1_795_000_000_000_000_000
        span.end_time_unix_nano = span.start_time_unix_nano + 2_000_000_000
        span.status.code = 2 if kind == "stage" else 0
        for key, value in {"task_id": f"task{number}", "session_id": "s", "agentos.kind": kind, **attributes}.items():
            span.attributes.add(key=key).value.string_value = value
    return bytes(data.SerializeToString())


@contextmanager
def scraping(folder: Path, collector: CollectorServer, jaeger: JaegerServer) -> Iterator[str]:
    """Give the address of a Prometheus with our file, its intervals shortened, beside a Collector that runs."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("no `prometheus` on PATH (Debian: apt-get install prometheus)")
    # One second for what the file does in fifteen; all else is its own.
    config = (CONFIGS / "prometheus.yaml").read_text().replace("15s", "1s")
    config = config.replace("collector:", f"{collector.address}:").replace("jaeger:8887", f"{jaeger.address}:8887")
    (folder / "prometheus.yaml").write_text(config)
    address = f"{free_address()}:9090"
    command = [binary, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data",
               f"--web.listen-address={address}"]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            assert eventually(lambda: query(address, "up{job='collector'} == 1"), 60), (folder / "log").read_text()
            yield address
        finally:
            process.terminate()
            process.wait()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, jaeger: JaegerServer) -> Iterator[str]:
    """A Prometheus beside a Collector of its own that has work."""
    folder = tmp_path_factory.mktemp("prometheus")
    quick = "connectors::span_metrics::metrics_flush_interval: 1s"
    collector = CollectorServer(folder / "collector", f"{jaeger.address}:14317", quick)
    with running(collector), scraping(folder, collector, jaeger) as address:
        for number in range(4):
            post(collector.endpoint, work(number))
            seen = f'sum(traces_span_metrics_calls_total{{agentos_kind="task"}}) == {number + 1}'
            assert eventually(partial(query, address, seen), 60)
        yield address


def query(address: str, expression: str) -> list[Any]:
    try:
        with urlopen(f"http://{address}/api/v1/query?query={quote(expression)}", timeout=10) as answer:
            result: list[Any] = json.load(answer)["data"]["result"]
            return result
    except OSError:
        return []


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_of_the_dashboard_returns_data(expression: str, prometheus: str) -> None:
    found = query(prometheus, expression.replace("$__rate_interval", "1m"))
    if set(re.findall(r"otelcol_\w+", expression)) & QUIET:
        # A counter that has never counted is not exported: its name is known to the Collector all the same.
        assert re.search(r"refused|failed", expression)
        return
    assert found
    assert all(item["value"][1] not in ("NaN", "0") for item in found if "queue_size" not in expression), found


def test_no_series_has_a_task_or_a_session(prometheus: str) -> None:
    series = query(prometheus, '{__name__=~"traces_span_metrics.*"}')
    assert series
    labels = {label for item in series for label in item["metric"]}
    assert not labels & {"task_id", "session_id", "process_pid"}
    assert {"agentos_kind", "agentos_stage_name", "gen_ai_agent_name", "error_type", "status_code"} <= labels
    # Four processes, one series: a counter that begins anew with each of them counts nothing.
    assert query(prometheus, 'traces_span_metrics_calls_total{agentos_kind="task"}')[0]["value"][1] == "4"


def test_what_went_wrong_is_shown_by_its_expressions(tmp_path: Path, jaeger: JaegerServer) -> None:
    """The quiet counters, made to count: there is no room in the queue, and the upstream refuses what is sent to it."""
    wrong = [text for text in EXPRESSIONS if set(re.findall(r"otelcol_\w+", text)) & QUIET]
    assert len(wrong) == len(QUIET)
    small = "exporters::otlp_grpc::sending_queue::queue_size: 2000"
    with closing(GrpcSink()) as upstream:
        upstream.answer = lambda body: Answer("INVALID_ARGUMENT", body=b"not these")
        collector = CollectorServer(tmp_path / "collector", f"localhost:{upstream.port}", small)
        with running(collector), scraping(tmp_path, collector, jaeger) as address:

            def shown(expression: str) -> list[Any]:
                for number in range(20):
                    with suppress(OSError):
                        post(collector.endpoint, work(number))
                return query(address, f"{expression.replace('$__rate_interval', '1m')} > 0")

            for expression in wrong:
                assert eventually(partial(shown, expression), 60), expression
