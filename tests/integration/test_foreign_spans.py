"""Spans of others' instrumentations (httpx's, openai's) are in the task's tree, however the host sets them up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agentos.fake_model import FakeModel
from tests.integration.backends import CollectorServer, JaegerServer
from tests.integration.homes import Home, arrived, in_jaeger
from tests.integration.seen import is_whole, shape, shown

pytestmark = pytest.mark.jaeger

WORK = """
import sys
import httpx
import openai
from agentos_otel import agent, current_task, stage, task, tool

url = sys.argv[1]

@agent
def planner():
    client = openai.OpenAI(base_url=url, api_key="none")
    messages = [{"role": "user", "content": "Rename X to Y"}]
    return client.chat.completions.create(model="fake-model", messages=messages).choices[0].message.content

@tool
def fetch():
    with httpx.Client() as client:
        return client.post(url, json={"model": "none"}).status_code

with task("rename"), stage("intent"):
    assert planner()
    with stage("checks"):
        assert fetch() == 200
    print(current_task().task_id)
"""
INSTRUMENTED = """
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
HTTPXClientInstrumentor().instrument()
OpenAIInstrumentor().instrument()
"""
PROVIDER = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
"""
CONFIGURE = "import agentos_otel\nagentos_otel.configure()\n"
LAUNCHER = str(Path(sys.executable).with_name("opentelemetry-instrument"))
HOSTS = {
    "sets a provider": ((sys.executable,), PROVIDER + INSTRUMENTED),
    "calls configure()": ((sys.executable,), CONFIGURE + INSTRUMENTED),
    "runs under opentelemetry-instrument": ((LAUNCHER, sys.executable), ""),
}


@pytest.fixture
def home(tmp_path: Path, jaeger: JaegerServer, collector: CollectorServer) -> Home:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    return Home(tmp_path, jaeger.url, **variables, OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none")


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    with FakeModel() as model:
        yield model.url


@pytest.mark.parametrize("how", HOSTS)
def test_calls_of_a_model_and_of_http_are_in_the_tree_of_a_program_that(
    how: str, home: Home, jaeger: JaegerServer, model_url: str
) -> None:
    before, setup = HOSTS[how]
    (home.folder / "program.py").write_text(setup + WORK)
    command = [*before, "program.py", model_url]
    done = subprocess.run(
        command, env=home.environ, cwd=home.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert home.shell("forward", "--once").returncode == 0
    task_id = done.stdout.strip()
    there = arrived(home, task_id, 8)
    assert [(depth, name) for depth, name, _ in shape(there["spans"])] == [
        (0, "task rename"),
        (1, "stage intent"),
        (2, "invoke_agent planner"),
        (3, "chat fake-model"),
        (4, "POST"),
        (2, "stage checks"),
        (3, "execute_tool fetch"),
        (4, "POST"),
    ]
    assert all({"task_id", "session_id"} <= set(span["attributes"]) for span in there["spans"])
    here = in_jaeger(home.show(task_id, "--from", "local")["spans"])
    # A provider of the host's has a resource of its own, and with it another id for the process.
    assert [{**span, "run_id": ""} for span in there["spans"]] == [{**span, "run_id": ""} for span in here]
    assert is_whole(shown(jaeger, there["task"]["trace_id"]))
    chat = next(span for span in there["spans"] if span["name"] == "chat fake-model")
    assert (chat["attributes"]["gen_ai.usage.input_tokens"], chat["attributes"]["gen_ai.usage.output_tokens"]) == (3, 5)
