"""The forwarder as a thread of a traced process, and as a command: what dies, hangs or is killed loses nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agentos_otel.export import fold
from agentos_otel.journal import reader
from agentos_otel.journal.record import ENDED_SPAN
from tests.integration.journals import Run
from tests.integration.otlp_servers import Answer, GrpcSink, HttpSink

HANG = "import time; time.sleep(60)"


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    made = HttpSink()
    yield made
    made.close()


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def environment(state_dir: Path, endpoint: str, **variables: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTOS_"))}
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint} if endpoint else {}
    return {**inherited, **given, "AGENTOS_OTEL_STATE_DIR": str(state_dir), **variables}


def python(state_dir: Path, endpoint: str, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment(state_dir, endpoint, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def shell(state_dir: Path, endpoint: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agentos_otel", *arguments],
        env=environment(state_dir, endpoint, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def names(sink: HttpSink) -> list[str]:
    return [span.name for span in sink.spans]


TASK = """
from agentos_otel import task, tool
@tool
def work(): pass
with task("short"):
    work()
"""


def test_a_process_that_ends_a_task_sends_it_as_it_leaves(tmp_path: Path, sink: HttpSink) -> None:
    for turn in range(5):  # it waits a second at most, which a busy machine may take for less
        done = python(tmp_path / str(turn), sink.url, TASK)
        assert (done.returncode, done.stderr) == (0, "")
        if sink.arrived:
            break
    assert sorted(names(sink)) == ["execute_tool work", "task short"]
    (resource,) = sink.arrived[0].resource_spans
    values = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
    assert values["service.name"] == "-c"


STAGE = """
import sys
from agentos_otel import stage
@stage("intent")
def work(): pass
work()
print("http.client" in sys.modules, "sqlite3" in sys.modules and "agentos_otel.export.positions" in sys.modules)
"""


def test_a_short_command_of_a_chain_pays_for_no_network_and_leaves_its_spans_to_the_next(
    tmp_path: Path, sink: HttpSink
) -> None:
    done = python(tmp_path, sink.url, STAGE)
    assert (done.stdout, done.stderr) == ("False False\n", "")
    assert sink.arrived == []
    assert shell(tmp_path, sink.url, "forward", "--once").stdout == "sent 1 spans\n"
    assert [name for name in names(sink) if name != "task started"] == ["stage intent"]


def test_without_an_endpoint_there_is_no_thread_and_no_file(tmp_path: Path) -> None:
    code = TASK + "import threading; print(threading.active_count())"
    assert python(tmp_path, "", code).stdout == "1\n"
    assert python(tmp_path, "http://localhost:1", code, OTEL_TRACES_EXPORTER="none").stdout == "1\n"
    assert not (tmp_path / "forward.db").exists()


KILLED = """
import os, signal, sys, time
from agentos_otel import stage, tool
@tool
def work(): pass
@stage("execution")
def run():
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 100): work()
    os.kill(os.getpid(), signal.SIGKILL)
run()
"""


def test_what_a_killed_process_left_is_sent_by_the_next(tmp_path: Path, sink: HttpSink) -> None:
    assert python(tmp_path, sink.url, KILLED).returncode == -signal.SIGKILL
    assert sink.arrived == []
    assert python(tmp_path, sink.url, LASTS.format(seconds=1.5)).returncode == 0
    assert shell(tmp_path, sink.url, "forward", "--once").returncode == 0
    assert names(sink).count("execute_tool work") == 101


def test_killed_in_the_middle_of_sending_everything_arrives_all_the_same(tmp_path: Path, sink: HttpSink) -> None:
    sent = Run(tmp_path).spans(8_000, text="x" * 200)
    sink.answer = lambda body: Answer(after=0.3)
    command = [sys.executable, "-m", "agentos_otel", "forward"]
    with subprocess.Popen(command, env=environment(tmp_path, sink.url)) as sender:
        eventually(lambda: len(sink.arrived) > 1)
        sender.kill()
    assert 0 < len(set(sink.span_ids)) < len(sent)
    sink.answer = lambda body: Answer()
    assert shell(tmp_path, sink.url, "forward", "--once").returncode == 0
    assert set(sink.span_ids) == set(sent)
    batch = max(len(arrived.spans) for arrived in sink.arrived)
    assert len(sink.span_ids) <= len(sent) + batch  # only what was under way is sent twice


def test_fifty_thousand_pending_spans_are_delivered_by_the_next_run(tmp_path: Path, sink: HttpSink) -> None:
    sent = Run(tmp_path).spans(50_000, a="x", b="y", c="z")
    done = shell(tmp_path, sink.url, "forward", "--once")
    assert done.stdout == "sent 50000 spans\n"
    assert sorted(sink.span_ids) == sorted(sent)


LONG = """
import sys, time
from agentos_otel import stage, task, tool
@tool
def work(): pass
with task("long"):
    work()
    print("working", flush=True)
    sys.stdin.read()
"""


def test_a_running_task_is_seen_while_it_runs_and_only_its_end_is_its_root(tmp_path: Path, sink: HttpSink) -> None:
    command = [sys.executable, "-c", LONG]
    with subprocess.Popen(
        command, env=environment(tmp_path, sink.url), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        eventually(lambda: "task started" in names(sink))
        assert "task long" not in names(sink)
        running.communicate()
    assert running.returncode == 0
    assert shell(tmp_path, sink.url, "forward", "--once").returncode == 0
    (root,) = [span for span in sink.spans if span.name == "task long"]
    (marker,) = [span for span in sink.spans if span.name == "task started"]
    assert (marker.trace_id, marker.parent_span_id) == (root.trace_id, root.span_id)
    assert len(sink.span_ids) == len(set(sink.span_ids)) == 3


# What a collector that is down or hangs costs is not timed but counted: the program says what it did and exits.
LASTS = """
import time
from agentos_otel import task, tool
@tool
def work(): pass
with task("lasts"):
    work()
    time.sleep({seconds})
began = time.monotonic()
import atexit
print("done", flush=True)
"""


@pytest.mark.parametrize("endpoint", ["down", "silent"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_that_is_down_or_silent_is_not_waited_for(
    tmp_path: Path, silent: str, endpoint: str, protocol: str, sink: HttpSink
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        down = f"http://127.0.0.1:{unused.getsockname()[1]}"
    url = silent if endpoint == "silent" else down
    done = python(tmp_path, url, LASTS.format(seconds=1.5), OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert shell(tmp_path, sink.url, "forward", "--once").returncode == 0
    assert sorted(name for name in names(sink) if name != "task started") == ["execute_tool work", "task lasts"]


FORKED = """
import os, time
from agentos_otel import task, tool
@tool
def work(): pass
with task("forks"):
    work()
    time.sleep(1.5)
    child = os.fork()
    if not child:
        work()
        time.sleep(1.5)
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_a_forked_child_sends_by_a_thread_of_its_own(tmp_path: Path, sink: HttpSink) -> None:
    done = python(tmp_path, sink.url, FORKED)
    assert (done.returncode, done.stderr) == (0, "")
    assert shell(tmp_path, sink.url, "forward", "--once").returncode == 0
    assert sorted(names(sink)) == ["execute_tool work", "execute_tool work", "task forks", "task started"]


def test_run_sends_what_its_command_left(tmp_path: Path, sink: HttpSink) -> None:
    done = shell(tmp_path, sink.url, "run", "--quiet", "--", "sh", "-c", "exit 3")
    assert (done.returncode, done.stderr) == (3, "")
    assert shell(tmp_path, sink.url, "forward", "--once").returncode == 0
    assert [name for name in names(sink) if name != "task started"] == ["task sh"]


# --- the command ---


def test_forward_says_in_one_line_what_is_missing_or_wrong(tmp_path: Path, sink: HttpSink) -> None:
    for variables in (
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "nowhere"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such/file"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "AGENTOS_OTEL_KEEP": "2"},
    ):
        done = shell(tmp_path, "", "forward", "--once", **variables)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert "OTEL_" in done.stderr


UNTIL_WARNED = """
import logging, threading
from agentos_otel import task, tool
warned = threading.Event()
class Handler(logging.StreamHandler):
    def emit(self, record):
        if "ENDPOINT" in record.getMessage():  # a slow database may be warned of too
            super().emit(record)
            warned.set()
logging.getLogger("agentos_otel").addHandler(Handler())
@tool
def work(): pass
with task("lasts"):
    work()
    assert warned.wait(60)
print("done")
"""


def test_a_mistake_in_the_endpoint_does_not_switch_the_journal_off(tmp_path: Path, sink: HttpSink) -> None:
    done = python(tmp_path, "nowhere", UNTIL_WARNED)
    assert done.stdout == "done\n"
    assert done.stderr.count("\n") == 1
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in done.stderr
    assert shell(tmp_path, sink.url, "forward", "--once").stdout == "sent 2 spans\n"


def test_forward_once_gives_up_after_a_while_and_says_that_nothing_is_lost(tmp_path: Path, sink: HttpSink) -> None:
    Run(tmp_path).spans(3)
    sink.answer = lambda body: Answer(503, {"retry-after": "100"})
    done = shell(tmp_path, sink.url, "forward", "--once")
    assert done.returncode == 2
    assert "HTTP 503" in done.stderr
    assert "stays in the journal" in done.stderr
    sink.answer = lambda body: Answer()
    assert shell(tmp_path, sink.url, "forward", "--once").stdout == "sent 3 spans\n"


def test_forward_once_tries_again_within_its_time(tmp_path: Path, sink: HttpSink) -> None:
    Run(tmp_path).spans(3)
    sink.answers = [Answer(503, {"retry-after": "0"}), Answer(429, {"retry-after": "0"})]
    assert shell(tmp_path, sink.url, "forward", "--once").stdout == "sent 3 spans\n"


def test_what_was_refused_is_told_and_can_be_sent_again(tmp_path: Path, sink: HttpSink) -> None:
    assert python(tmp_path, "", TASK).returncode == 0
    sink.answer = lambda body: Answer(403, body=b"no such tenant")
    done = shell(tmp_path, sink.url, "forward", "--once")
    assert (done.returncode, done.stdout) == (1, "sent 0 spans, 2 refused: see `agentos-otel doctor`\n")
    checks = {
        item["check"]: item for item in json.loads(shell(tmp_path, sink.url, "doctor", "--json").stdout)["checks"]
    }
    assert not checks["forwarding"]["ok"]
    assert "(HTTP 403 Forbidden: no such tenant), 2 spans" in checks["forwarding"]["detail"]
    assert document(tmp_path)["losses"]["failed_to_send"] == 2
    sink.answer = lambda body: Answer()
    done = shell(tmp_path, sink.url, "forward", "--once", "--refused")
    assert (done.returncode, done.stdout) == (0, "sent 2 spans\n")
    assert document(tmp_path)["losses"]["failed_to_send"] == 0


def document(state_dir: Path) -> dict[str, Any]:
    tasks = json.loads(shell(state_dir, "", "task", "list", "--json").stdout)
    (task,) = tasks["tasks"] if isinstance(tasks, dict) else tasks
    found: dict[str, Any] = json.loads(shell(state_dir, "", "task", "show", task["task_id"], "--json").stdout)
    return found


def _has_requests(sink: HttpSink, count: int) -> bool:
    return len(sink.arrived) >= count


def _has_sent(sink: HttpSink, count: int) -> bool:
    return len(sink.span_ids) == count


def test_forward_runs_until_it_is_told_to_stop(tmp_path: Path, sink: HttpSink) -> None:
    run = Run(tmp_path)
    command = [sys.executable, "-m", "agentos_otel", "forward"]
    with subprocess.Popen(command, env=environment(tmp_path, sink.url), stderr=subprocess.PIPE) as sender:
        for count in (1, 2):
            run.span()
            eventually(partial(_has_sent, sink, count))
        sender.terminate()
        assert sender.wait(30) == 0


KEPT = """
import sys
from agentos_otel import current_task, task, tool
@tool
def work(): pass
with task("kept" if "keep" in sys.argv else "left out"):
    work()
    if "keep" in sys.argv:
        current_task().keep()
"""


def test_a_task_that_asks_for_it_is_kept(tmp_path: Path, sink: HttpSink) -> None:
    for arguments in ([], ["keep"]):
        subprocess.run(
            [sys.executable, "-c", KEPT, *arguments],
            env=environment(tmp_path, sink.url, AGENTOS_OTEL_KEEP="0"),
            check=True,
            timeout=60,
        )
    assert shell(tmp_path, sink.url, "forward", "--once", AGENTOS_OTEL_KEEP="0").returncode == 0
    assert sorted(names(sink)) == ["execute_tool work", "task kept"]


def test_grpc_sends_from_a_thread_too(tmp_path: Path) -> None:
    grpc_sink = GrpcSink()
    try:
        variables = environment(tmp_path, grpc_sink.url, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        command = [sys.executable, "-c", LONG]
        with subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
            eventually(lambda: "execute_tool work" in [span.name for span in grpc_sink.spans])
            running.communicate()
        assert running.returncode == 0
    finally:
        grpc_sink.close()


def test_a_command_that_is_no_python_is_seen_while_it_runs(tmp_path: Path, sink: HttpSink) -> None:
    command = [sys.executable, "-m", "agentos_otel", "run", "--quiet", "--", "cat"]
    with subprocess.Popen(command, env=environment(tmp_path, sink.url), stdin=subprocess.PIPE) as running:
        eventually(lambda: names(sink) == ["task started"])
        running.communicate()
    assert running.returncode == 0
    assert shell(tmp_path, sink.url, "forward", "--once").returncode == 0
    assert names(sink) == ["task started", "task cat"]
    marker, root = sink.spans
    assert (marker.trace_id, marker.parent_span_id) == (root.trace_id, root.span_id)


def test_the_dead_run_of_a_killed_program_is_finished_before_it_is_sent(tmp_path: Path, sink: HttpSink) -> None:
    code = KILLED.replace('@stage("execution")', '@task("killed")').replace("import stage", "import task")
    assert python(tmp_path, sink.url, code).returncode == -signal.SIGKILL
    assert shell(tmp_path, sink.url, "forward", "--once").returncode == 0
    (root,) = [span for span in sink.spans if span.name == "task killed"]
    assert not root.parent_span_id
    assert root.status.code == 2


DIES_WITH_A_CHILD = """
import os, signal, threading, time
from agentos_otel import forwarding, settings
def fork():
    time.sleep(0.5)
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=fork).start()
forwarding.open_forwarder(settings.read(), lambda: None).pump()
"""


def test_a_child_of_a_sender_that_died_does_not_keep_others_from_sending(tmp_path: Path, sink: HttpSink) -> None:
    Run(tmp_path).span()
    sink.answers = [Answer(after=5)]
    command = [sys.executable, "-W", "ignore", "-c", DIES_WITH_A_CHILD]
    with subprocess.Popen(command, env=environment(tmp_path, sink.url), stdout=subprocess.PIPE, text=True) as sender:
        child = int(sender.stdout.readline()) if sender.stdout else 0
        assert sender.wait(30) == -signal.SIGKILL
        try:
            assert shell(tmp_path, sink.url, "forward", "--once").stdout == "sent 1 spans\n"
        finally:
            os.kill(child, signal.SIGKILL)


WORKER = """
import random, sys, threading, time
from agentos_otel import agent, stage, task, tool
@tool
def work(): pass
@agent
def think():
    for _ in range(20): work()
    time.sleep(random.random() / 50)
def run():
    for _ in range(1000):
        with task("stress"):
            think()
threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_workers_that_are_killed_and_a_server_that_fails_lose_nothing_and_double_nothing(
    tmp_path: Path, sink: HttpSink
) -> None:
    turn = iter(range(10**6))
    sink.answer = lambda body: Answer(503, {"retry-after": "0"}) if next(turn) % 3 == 1 else Answer()
    command = [sys.executable, "-c", WORKER]
    running = [subprocess.Popen(command, env=environment(tmp_path, sink.url)) for _ in range(4)]
    for number in range(4):
        eventually(partial(_has_requests, sink, 3 * number + 3))
        running[number].kill()
        running[number].wait()
        if number < 2:
            running.append(subprocess.Popen(command, env=environment(tmp_path, sink.url)))
    for worker in running:
        worker.kill()
        worker.wait()
    sink.answer = lambda body: Answer()
    done = shell(tmp_path, sink.url, "forward", "--once")
    assert done.returncode == 0, done.stderr
    sent = [span for span in sink.spans if span.name != "task started"]
    journaled = list(journaled_ids(tmp_path))
    assert len(journaled) == len(set(journaled)) > 100
    assert {span.span_id for span in sent} == set(journaled)
    by_id: dict[bytes, Any] = {}
    for span in sent:
        assert by_id.setdefault(span.span_id, span) == span  # what comes twice is the same


def journaled_ids(state_dir: Path) -> Iterator[bytes]:
    for path in (state_dir / "journal").rglob("*.otlp"):
        for record in reader.read_file(path, final=True).records:
            if record.field == ENDED_SPAN:
                yield from (piece.span_id for piece in fold.pieces(record.body))


def test_erasing_a_task_says_that_what_was_sent_is_elsewhere(tmp_path: Path, sink: HttpSink) -> None:
    assert python(tmp_path, sink.url, TASK).returncode == 0
    task_id = document(tmp_path)["task"]["task_id"]
    assert "OTLP endpoint" in shell(tmp_path, "", "task", "erase", task_id, "--yes").stdout
