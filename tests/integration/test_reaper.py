"""The reaper beside real processes: containers that share a directory, forks, and kills at every step of an end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agentos_otel import bootstrap
from agentos_otel.query.document import document
from agentos_otel.settings import Settings

STAGE = """
import os, sys
from agentos_otel import stage, task
with task("work"), stage("execution"):
    os.write(1, f"ready {os.getpid()}\\n".encode())
    sys.stdin.readline()
"""
LOOK = """
import json
from agentos_otel import TaskManager
for each in TaskManager().list():
    print(each.status, each.error_type)
"""
# A process of another PID namespace, as in a container: its ids mean other processes here, or none.
NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
# … and of another name, as each container has by default.
CONTAINER = [*NAMESPACE, "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', "container"]


class Shared:
    """A state directory that processes of several namespaces share."""

    def __init__(self, folder: Path, state: Path | None = None) -> None:
        state = state or folder / "state"
        self.folder = folder
        self.settings = Settings(state, f"sqlite:///{state / 'tasks.db'}")
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "AGENTOS_OTEL_STATE_DIR": str(state)}

    def start(self, code: str, prefix: list[str], **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-c", code],
            env={**self.environ, **environ}, cwd=self.folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        return process

    def run(self, code: str, prefix: list[str]) -> str:
        command = [*prefix, sys.executable, "-c", code]
        done = subprocess.run(command, env=self.environ, cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout

    def look(self) -> list[dict[str, Any]]:
        space = bootstrap.open_workspace(self.settings)
        try:
            space.refresh()
            rows = space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=1000)
            return [document(space, row["task_id"]) for row in reversed(rows)]
        finally:
            space.close()

    def ended(self) -> list[str]:
        """Return the ids of the ended spans in all journals, each as often as it stands there."""
        found = []
        for path in self.settings.journal_dir.rglob("*.otlp"):
            for resource in TracesData.FromString(path.read_bytes()).resource_spans:
                found += [span.span_id.hex() for scope in resource.scope_spans for span in scope.spans]
        return found


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process and whatever its namespace holds; the end of the pipe says that all of it is dead."""
    process.kill()
    assert process.stdout is not None
    process.stdout.read()
    process.communicate()


@pytest.mark.namespaces
def test_a_run_of_another_pid_namespace_lives_and_dies_by_its_lock_alone(shared: Shared) -> None:
    process = shared.start(STAGE, NAMESPACE)
    assert first_line(process) == "ready 1"  # a process that always lives, looked at from outside
    (found,) = shared.look()
    assert [run["state"] for run in found["runs"]] == ["live"]
    assert {span["status"] for span in found["spans"]} == {"running"}
    assert shared.run(LOOK, NAMESPACE).split() == ["executing", "None"]
    kill(process)
    (found,) = shared.look()
    assert {span["status"] for span in found["spans"]} == {"abandoned"}


@pytest.mark.namespaces
def test_who_looks_from_within_a_namespace_finishes_the_dead_outside_and_leaves_the_living(shared: Shared) -> None:
    dead, living = shared.start(STAGE, []), shared.start(STAGE, [])
    first_line(dead), first_line(living)
    kill(dead)
    assert sorted(shared.run(LOOK, NAMESPACE).splitlines()) == ["executing None", "failed abandoned"]
    kill(living)
    assert shared.run(LOOK, NAMESPACE).split() == ["failed", "abandoned"] * 2


@pytest.mark.namespaces
def test_containers_with_names_of_their_own_finish_each_others_dead_and_leave_the_living(shared: Shared) -> None:
    dead, living = shared.start(STAGE, CONTAINER), shared.start(STAGE, CONTAINER)
    first_line(dead), first_line(living)
    assert {run["host"] for found in shared.look() for run in found["runs"]} == {"container"}
    kill(dead)
    assert sorted(shared.run(LOOK, []).splitlines()) == ["executing None", "failed abandoned"]
    kill(living)
    assert shared.run(LOOK, CONTAINER).split() == ["failed", "abandoned"] * 2


FORK = """
import os, sys, time
from agentos_otel import stage, task, tool
@tool
def read(): pass
with task("work"), stage("execution"):
    if os.fork() == 0:
        with stage("child"):
            read()
            os.write(1, f"ready {os.getpid()}\\n".encode())
            sys.stdin.readline()
        os._exit(0)
    os.wait()
"""


def test_the_root_of_a_killed_process_waits_for_the_fork_that_outlives_it(shared: Shared) -> None:
    process = shared.start(FORK, [])
    child = int(first_line(process).split()[1])
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(2):
        (found,) = shared.look()
        assert {span["name"]: span["status"] for span in found["spans"]} == {
            "task work": "running",
            "stage execution": "abandoned",
            "stage child": "running",
            "execute_tool read": "ok",
        }
        assert {run["pid"]: run["state"] for run in found["runs"]} == {process.pid: "ended", child: "live"}
    process.communicate("\n")
    (found,) = shared.look()
    assert {span["name"]: span["status"] for span in found["spans"]} == {
        "task work": "abandoned",
        "stage execution": "abandoned",
        "stage child": "ok",
        "execute_tool read": "ok",
    }
    assert (found["task"]["status"], found["task"]["error_type"]) == ("failed", "abandoned")
    assert {run["late"] for run in found["runs"]} == {False}
    ended = shared.ended()
    assert len(ended) == len(set(ended)) == 4


# Does the same work again and again, each time in a process that is killed one call of a C function later.
SWEEP = """
import os, signal, sys
from agentos_otel import stage, task, tool
import agentos_otel.bootstrap, agentos_otel.tasks.store, agentos_otel.tasks.sqlite  # not at each fork
import hashlib, sqlite3
from agentos_otel.tracing import births

@tool
def read(): pass

def chain():
    with stage("intent", produces={"request_id": "request_12345678"}):
        pass
    arm()
    with stage("execution", joins={"request_id": "request_12345678"}, ends=True):
        read()

def owner():
    with task("before"):
        pass
    arm()
    with task("work"):
        read()

def arm():
    global calls
    calls = 0
    sys.setprofile(count)

def count(frame, event, argument):
    global calls
    if event == "c_call":
        calls += 1
        if calls == limit:
            os.kill(os.getpid(), signal.SIGKILL)

work, states, step = {"chain": chain, "owner": owner}[sys.argv[1]], sys.argv[2], int(sys.argv[3])
limit, code = 0, 1
while code:
    limit += step
    pid = os.fork()
    if pid == 0:
        os.environ["AGENTOS_OTEL_STATE_DIR"] = f"{states}/{limit}"
        work()
        os._exit(0)
    code = os.waitpid(pid, 0)[1]
print(limit)
"""


@pytest.mark.parametrize("work", ["chain", "owner"])
def test_killed_at_any_step_of_its_work_a_task_has_one_root_and_nothing_open(tmp_path: Path, work: str) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [sys.executable, "-c", SWEEP, work, str(tmp_path), "5"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    outcomes: Counter[str] = Counter()
    states = sorted((path for path in tmp_path.iterdir()), key=lambda path: int(path.name))
    assert len(states) == int(done.stdout) // 5 > 20
    for state in states:
        host = Shared(state.parent, state)
        for found in host.look():
            status, task_id = found["task"]["status"], found["task"]["task_id"]
            outcomes[status] += 1
            assert status in ({"completed", "waiting"} if work == "chain" else {"completed", "failed"})
            # On a busy machine the store may not answer the second stage in time: its task is then a merged one.
            own = [span for span in found["spans"] if span["attributes"]["task_id"] == task_id]
            roots = [span["status"] for span in own if span["parent_span_id"] is None]
            assert roots == {"completed": ["ok"], "failed": ["abandoned"], "waiting": ["running"]}[status]
            below = [span["status"] for span in found["spans"] if span["parent_span_id"] is not None]
            assert set(below) <= {"ok", "abandoned"}
            assert {run["state"] for run in found["runs"]} == {"ended"}
        ended = host.ended()
        assert len(ended) == len(set(ended))
    assert len(outcomes) == 2
