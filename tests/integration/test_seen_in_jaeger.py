"""The whole way, as a user has it: a program with an endpoint set, a real Collector, a real Jaeger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentos_otel.query.jaeger import Jaeger
from agentos_otel.query.jaeger_api import JaegerApi
from tests.integration.backends import CollectorServer, JaegerServer, eventually
from tests.integration.homes import Home, arrived, in_jaeger
from tests.integration.seen import is_whole, shape, shown

pytestmark = pytest.mark.jaeger

PATIENCE = 5
"""By how much a time that holds on a quiet machine is passed before a test fails: others may need the cores."""


@pytest.fixture
def home(tmp_path: Path, jaeger: JaegerServer, collector: CollectorServer) -> Home:
    return Home(tmp_path, jaeger.url, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)


def forwarded(home: Home) -> None:
    """Send what short or killed programs have left."""
    done = home.shell("forward", "--once")
    assert done.returncode == 0, done.stderr


def test_the_demo_is_one_trace_without_a_warning_and_equals_what_lies_here(home: Home, jaeger: JaegerServer) -> None:
    done = home.shell("demo", "--json")
    assert done.returncode == 0, done.stderr
    forwarded(home)
    here = json.loads(done.stdout)
    task = here["task"]
    there = arrived(home, task["task_id"], len(here["spans"]))
    assert there["spans"] == in_jaeger(here["spans"])
    assert shape(there["spans"]) == shape(here["spans"])
    assert len(there["attempts"]) == 1
    assert all({"task_id", "session_id"} <= set(span["attributes"]) for span in there["spans"])
    spans = shown(jaeger, task["trace_id"])
    assert is_whole(spans)
    # Beside those of the journal only the marker of the start, if the task was seen while it ran.
    assert sum(span["operationName"] != "task started" for span in spans) == len(here["spans"])
    space = home.workspace()
    try:
        for key, value in (
            ("task_id", task["task_id"]),
            ("session_id", task["session_id"]),
            ("vcs.ref.head.revision", task["commit_hash"]),
        ):
            assert space.jaeger().search(key, value) == [task["trace_id"]]
    finally:
        space.close()


RUNNING = """
import sys
from agentos_otel import current_task, stage, task
with task("rename"), stage("intent"):
    print(current_task().task_id, current_task().trace_id, flush=True)
    sys.stdin.read()
"""


@contextmanager
def running_task(home: Home) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Start a program whose task goes on until it is killed; give its process, and the ids of task and trace."""
    with subprocess.Popen(
        [sys.executable, "-c", RUNNING], env=home.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        task_id, trace_id = process.stdout.readline().split()
        yield process, task_id, trace_id
        process.kill()


def test_a_running_task_is_seen_within_two_seconds_of_its_start(
    home: Home, jaeger: JaegerServer, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Jaeger(JaegerApi(jaeger.url))
    with running_task(home) as (_, task_id, trace_id):
        assert eventually(lambda: source.trace(trace_id))
        seen = time.time()
        assert source.search("task_id", task_id) == [trace_id]
        born = arrived(home, task_id, 0)["task"]["created_ns"] / 1e9
    source.api.close()
    with capsys.disabled():
        print(f"a running task was seen in Jaeger {seen - born:.2f} s after its start")
    assert seen - born < 2 * PATIENCE


def test_a_killed_task_gets_its_root_once_somebody_looks(home: Home) -> None:
    with running_task(home) as (process, task_id, _):
        running = arrived(home, task_id, 0)
        assert (running["task"]["status"], running["spans"]) == ("executing", [])
        process.kill()
        process.wait()
    assert home.show(task_id, "--from", "local")["task"]["status"] == "failed"  # whoever looks first finishes it
    forwarded(home)
    ended = arrived(home, task_id, 2)
    assert [(span["name"], span["status"]) for span in ended["spans"]] == [
        ("task rename", "abandoned"),
        ("stage intent", "abandoned"),
    ]
    assert ended["task"]["status"] == "failed"


def test_a_key_in_a_captured_prompt_is_neither_in_jaeger_nor_in_the_journal(home: Home) -> None:
    key = "sk-" + "proj" + os.urandom(12).hex()
    home.environ["AGENTOS_OTEL_CAPTURE"] = "true"
    home.run(
        "import sys\nfrom agentos_otel import agent, task\n"
        "@agent\ndef ask(prompt): return prompt.upper() + prompt\n"
        "with task('rename'): ask(f'my key is {sys.argv[1]}, use it')\n",
        key,
    )
    forwarded(home)
    (task,) = json.loads(home.shell("task", "list", "--json").stdout)["tasks"]
    there = arrived(home, task["task_id"], 2)
    text = json.dumps(there)
    assert "my key is ****, use it" in text
    assert key not in text
    for path in home.state_dir.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes()


HOST = """
import sys
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
import agentos_otel
from agentos_otel import current_task, stage, task

if sys.argv[1] == "configure":
    agentos_otel.configure()
else:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
with task("rename"), stage("intent"):
    with trace.get_tracer("foreign").start_as_current_span("GET", kind=trace.SpanKind.CLIENT):
        with stage("inner"):
            print(current_task().task_id)
"""


@pytest.mark.parametrize("how", ["provider", "configure"])
def test_spans_of_foreign_instrumentation_are_in_the_same_tree_and_nothing_arrives_twice(
    how: str, home: Home, jaeger: JaegerServer
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOST, how], env=home.environ, capture_output=True, text=True, check=True
    )
    forwarded(home)
    there = arrived(home, done.stdout.strip(), 4)
    assert [(depth, name) for depth, name, _ in shape(there["spans"])] == [
        (0, "task rename"),
        (1, "stage intent"),
        (2, "GET"),
        (3, "stage inner"),
    ]
    assert all({"task_id", "session_id"} <= set(span["attributes"]) for span in there["spans"])
    here = in_jaeger(home.show(done.stdout.strip(), "--from", "local")["spans"])
    # A provider of the host's has a resource of its own, and with it another id for the process.
    assert [{**span, "run_id": ""} for span in there["spans"]] == [{**span, "run_id": ""} for span in here]
    assert is_whole(shown(jaeger, there["task"]["trace_id"]))


KEPT = """
import sys
from agentos_otel import current_task, stage, task
for number in range(60):
    try:
        with task("work") as made:
            with stage("intent"):
                if number == 7:
                    current_task().keep()
            with stage("execution"):
                if number == 11:
                    raise ValueError
            print(number, current_task().task_id)
    except ValueError:
        print(number, made.task_id if made else "")
"""


def test_of_a_tenth_of_the_tasks_each_is_kept_whole_or_not_and_errors_and_wishes_always(home: Home) -> None:
    home.environ["AGENTOS_OTEL_KEEP"] = "0.1"
    home.run(KEPT)
    forwarded(home)
    tasks = json.loads(home.shell("task", "list", "--count", "100", "--json").stdout)["tasks"]
    assert len(tasks) == 60
    by_age = sorted(tasks, key=lambda task: task["created_ns"])
    always = {by_age[7]["trace_id"], by_age[11]["trace_id"]}
    assert [task["status"] for task in by_age].index("failed") == 11
    space = home.workspace()
    try:

        def counts() -> dict[str, int]:
            found = {}
            for task in tasks:
                spans = [
                    s
                    for part in space.jaeger().trace(task["trace_id"])
                    for scope in part.scope_spans
                    for s in scope.spans
                ]
                found[task["trace_id"]] = sum(span.name != "task started" for span in spans)
            return found

        eventually(lambda: all(counts()[trace_id] == 3 for trace_id in always))
        there = counts()
    finally:
        space.close()
    assert all(there[trace_id] == 3 for trace_id in always)
    assert set(there.values()) == {0, 3}
    # Of 58 tasks at 0.1, more than half would be kept once in 10^21 times.
    assert list(there.values()).count(3) < 30


LONG = """
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from agentos_otel import current_task, stage, task, tool

@tool
def step(wish):
    if wish == "keep":
        current_task().keep()
    if wish == "error":
        raise ValueError

def work(name):
    wish, moment = name.split()
    with task(name), stage("execution"):
        for number in range(5):
            with suppress(ValueError):
                step(wish if number == int(moment) else "")
            time.sleep(0.7)

names = [f"{wish} {moment}" for wish in ("keep", "error") for moment in (0, 2, 4)] + ["nothing 0"]
with ThreadPoolExecutor(len(names)) as pool:
    list(pool.map(work, names))
"""


def test_an_error_or_a_wish_at_any_moment_of_a_long_task_keeps_it_whole(home: Home, jaeger: JaegerServer) -> None:
    home.environ["AGENTOS_OTEL_KEEP"] = "0"
    home.run(LONG)  # its own thread has looked at the journal several times before the ends
    forwarded(home)
    tasks = json.loads(home.shell("task", "list", "--json").stdout)["tasks"]
    traces = {task["name"]: task["trace_id"] for task in tasks}
    source = Jaeger(JaegerApi(jaeger.url))

    def counts() -> dict[str, int]:
        found = {}
        for name, trace_id in traces.items():
            spans = [span for part in source.trace(trace_id) for scope in part.scope_spans for span in scope.spans]
            found[name] = sum(span.name != "task started" for span in spans)
        return found

    assert len(traces) == 7
    assert eventually(lambda: counts() == {name: 0 if name == "nothing 0" else 7 for name in traces}), counts()
    source.api.close()
