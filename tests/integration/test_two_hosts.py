"""Two hosts with a state directory each and one PostgreSQL; their clocks are ten minutes apart, and one is set back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# What makes a process believe that it runs on another machine: its name, and a wall clock that goes wrong.
MACHINE = """
import os, platform, time
name, ahead = os.environ["TEST_HOST"], int(float(os.environ["TEST_CLOCK"]) * 10**9)
real = time.time_ns
platform.node = lambda: name
time.time_ns = lambda: real() + ahead
time.time = lambda: time.time_ns() / 1e9
"""
STAGES = """
import os, sys
from agentos_otel import stage, task, tool
from agentos_otel.tracing import runtime

# Not what a busy machine makes of a quarter of a second: what follows when a store does not answer is asked elsewhere.
runtime.SQL_WAIT = 20

@tool
def read(): pass

@stage("intent", produces={"intent_id": "result"})
def intent():
    read()
    return "intent_abcdefgh"

@stage("coordination", joins={"intent_id": "intent"}, produces={"coordinator_run_id": "result"})
def coordination(intent):
    read()
    pause()
    return "coordination_abcdefgh"

@stage("execution", joins={"coordinator_run_id": "run"}, ends=True)
def execution(run):
    read()

@stage("child")
def child():
    read()
    pause()

@task("owned")
def owner():
    pause()

def pause():
    from agentos_otel import inject
    carrier = inject({})
    os.write(1, ("ready " + " ".join(f"{k}={v}" for k, v in carrier.items()) + "\\n").encode())
    if os.environ.get("PAUSE"):
        sys.stdin.readline()

{"intent": intent, "coordination": lambda: coordination("intent_abcdefgh"),
 "execution": lambda: execution("coordination_abcdefgh"), "child": child, "owner": owner}[sys.argv[1]]()
"""


class Machine:
    """A host with a name and a wrong clock, in seconds ahead of the right one."""

    def __init__(self, folder: Path, url: str, name: str, clock: float) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        (self.folder / "sitecustomize.py").write_text(MACHINE)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(self.folder),
            "AGENTOS_OTEL_STATE_DIR": str(self.folder / "state"),
            "AGENTOS_OTEL_DATABASE_URL": url,
            "TEST_HOST": name,
            "TEST_CLOCK": str(clock),
        }

    def start(self, what: str, environ: dict[str, str], *, pause: bool = True) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", STAGES, what],
            env={**self.environ, **environ, "PAUSE": "1" if pause else ""}, cwd=self.folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, what: str, clock: float | None = None) -> None:
        environ = {} if clock is None else {"TEST_CLOCK": str(clock)}
        with self.start(what, environ, pause=False) as process:
            process.communicate()
        assert process.returncode == 0

    def cli(self, *arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "agentos_otel", *arguments, "--json"]
        done = subprocess.run(command, env=self.environ, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def tasks(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.cli("task", "list")["tasks"]
        return rows

    def show(self) -> dict[str, Any]:
        (task,) = self.tasks()
        return self.cli("task", "show", task["task_id"])


@pytest.fixture
def hosts(request: pytest.FixtureRequest, tmp_path: Path, new_postgresql_url: str) -> tuple[Machine, Machine]:
    """Two hosts; the clock of the second is ten minutes behind, unless a test wants it otherwise."""
    clock = getattr(request, "param", -600.0)
    return Machine(tmp_path, new_postgresql_url, "first", 0), Machine(tmp_path, new_postgresql_url, "second", clock)


def carried(process: subprocess.Popen[str]) -> dict[str, str]:
    """Wait until a process pauses, and return what it gives its children."""
    assert process.stdout is not None
    line = process.stdout.readline().split()
    assert line[0] == "ready"
    return dict(pair.split("=", 1) for pair in line[1:])


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def proceed(process: subprocess.Popen[str]) -> None:
    process.communicate("\n")
    assert process.returncode == 0


pytestmark = pytest.mark.postgresql


@pytest.mark.parametrize("hosts", [600.0, -600.0], ids=["the second ahead", "the second behind"], indirect=True)
def test_a_chain_over_both_hosts_is_one_task_whose_state_follows_it(hosts: tuple[Machine, Machine]) -> None:
    first, second = hosts
    first.run("intent")
    (task,) = second.tasks()  # each command of either host replays its own journal
    assert (task["status"], task["phase"]) == ("waiting", "intent")
    process = second.start("coordination", {})
    carried(process)
    (task,) = first.tasks()
    assert task["status"] == "executing"
    (task,) = second.tasks()
    assert (task["status"], task["phase"]) == ("planning", "coordination")
    proceed(process)
    for host in (first, second, first):
        (task,) = host.tasks()
        assert (task["status"], task["coordinator_run_id"]) == ("waiting", "coordination_abcdefgh")
    first.run("execution")
    for host in (first, second, first):
        (task,) = host.tasks()
        assert task["status"] == "completed"
        assert task["created_ns"] <= task["ended_ns"]
    shown = first.show()
    assert {run["host"] for run in shown["runs"]} == {"first", "second"}
    assert len(shown["runs"]) == 3
    assert {run["late"] for run in shown["runs"]} == {False}
    assert len({run["attempt"] for run in shown["runs"]}) == 1


def test_a_run_that_is_killed_on_one_host_is_left_to_it_by_the_other(hosts: tuple[Machine, Machine]) -> None:
    first, second = hosts
    first.run("intent")
    process = second.start("coordination", {})
    carried(process)
    kill(process)
    (task,) = first.tasks()
    assert task["status"] == "executing"
    (task,) = second.tasks()
    assert task["status"] == "waiting"
    shown = second.show()
    assert [span["status"] for span in shown["spans"] if span["stage"] == "coordination"] == ["abandoned"]
    second.run("coordination")
    assert len(second.tasks()) == 1


def test_the_root_of_a_dead_owner_waits_for_the_run_of_the_other_host(hosts: tuple[Machine, Machine]) -> None:
    first, second = hosts
    owner = first.start("owner", {})
    child = second.start("child", carried(owner))
    carried(child)
    kill(owner)
    for host in (first, second, first):
        (task,) = host.tasks()
        assert task["ended_ns"] is None
    proceed(child)
    second.tasks()
    (task,) = first.tasks()
    assert (task["status"], task["error_type"]) == ("failed", "abandoned")
    shown = first.show()
    assert [span["status"] for span in shown["spans"] if span["parent_span_id"] is None] == ["abandoned"]
    assert {run["late"] for run in shown["runs"]} == {False}


def test_a_child_on_the_other_host_that_stays_after_the_end_is_late(hosts: tuple[Machine, Machine]) -> None:
    first, second = hosts
    owner = first.start("owner", {})
    child = second.start("child", carried(owner))
    carried(child)
    proceed(owner)
    proceed(child)
    for host in (second, first):
        shown = host.show()
        assert {run["host"]: run["late"] for run in shown["runs"]} == {"first": False, "second": True}
        assert shown["task"]["status"] == "completed"


def test_a_clock_that_is_set_back_between_two_stages_changes_nothing(tmp_path: Path, new_postgresql_url: str) -> None:
    host = Machine(tmp_path, new_postgresql_url, "only", 0)
    host.run("intent")
    process = host.start("coordination", {"TEST_CLOCK": "-7200"})
    carried(process)
    (task,) = host.tasks()
    assert (task["status"], task["phase"]) == ("planning", "coordination")
    kill(process)
    (task,) = host.tasks()
    assert task["status"] == "waiting"
    host.run("coordination", clock=-7200)
    host.run("execution", clock=-7200)
    shown = host.show()
    assert shown["task"]["status"] == "completed"
    assert shown["task"]["ended_ns"] >= shown["task"]["created_ns"]
    assert all(span["end_ns"] >= span["start_ns"] for span in shown["spans"])
    assert len({span["trace_id"] for span in shown["spans"]}) == 1
