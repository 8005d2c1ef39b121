"""`agentos-otel run`: exit codes, signals, forks, scripts, GitPython, and what it never changes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData


class Shell:
    """A user's shell with a state directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AGENTOS_OTEL_STATE_DIR": str(folder / "state"),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Test" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "test@example.org" for who in ("AUTHOR", "COMMITTER")},
        }

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "agentos_otel", *arguments]
        return subprocess.Popen(command, env=self.environ, cwd=self.folder, stdout=-1, stderr=-1, text=True)

    def cli(self, *arguments: str) -> tuple[int, str]:
        process = self.popen(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out + err

    def program(self, code: str, name: str = "program.py") -> str:
        (self.folder / name).write_text(code)
        return str(self.folder / name)

    def tasks(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.cli("task", "list", "--json")[1])["tasks"]
        return rows

    def show(self, identifier: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.cli("task", "show", identifier, "--json")[1])
        return found


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.parametrize(
    ("command", "code", "status", "error_type"),
    [
        ("exit 0", 0, "completed", None),
        ("exit 3", 3, "failed", "exit_3"),
        ("kill -9 $$", 137, "failed", "SIGKILL"),
    ],
)
def test_the_exit_code_is_the_commands_own_and_settles_the_task(
    shell: Shell, command: str, code: int, status: str, error_type: str | None
) -> None:
    assert shell.cli("run", "--quiet", "--", "sh", "-c", command)[0] == code
    (task,) = shell.tasks()
    assert (task["status"], task["error_type"], task["name"]) == (status, error_type, "sh")


def test_a_forwarded_signal_cancels_the_task(shell: Shell) -> None:
    process = shell.popen("run", "--", "sh", "-c", "echo ready; exec sleep 20")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert [task["status"] for task in shell.tasks()] == ["cancelled"]


def test_a_task_point_in_a_python_child_takes_the_reservation_over(shell: Shell) -> None:
    program = shell.program("from agentos_otel import task\nwith task('inner') as t: print(t.task_id)\n")
    code, out = shell.cli("run", "--quiet", "--", sys.executable, program)
    (task,) = shell.tasks()
    assert (code, out.strip(), task["name"]) == (0, task["task_id"], "inner")
    assert len([span for span in shell.show(task["task_id"])["spans"] if span["parent_span_id"] is None]) == 1


def test_stages_of_a_child_hang_under_the_root_that_run_ends(shell: Shell) -> None:
    program = shell.program("from agentos_otel import stage\nfor n in 'ab':\n    with stage(n): pass\n")
    shell.cli("run", "--quiet", "--", "sh", "-c", f"{sys.executable} {program} && {sys.executable} {program}")
    (task,) = shell.tasks()
    spans = shell.show(task["task_id"])["spans"]
    assert [span["name"] for span in spans] == ["task sh", "stage a", "stage b", "stage a", "stage b"]
    assert {span["parent_span_id"] for span in spans[1:]} == {spans[0]["span_id"]}


def test_a_running_task_is_seen_while_it_runs(shell: Shell) -> None:
    program = shell.program(
        "import time\nfrom agentos_otel import stage, task\nwith task('long'), stage('now'): time.sleep(20)\n"
    )
    process = subprocess.Popen([sys.executable, program], env=shell.environ, cwd=shell.folder)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not ((shell.folder / "state").exists() and shell.tasks()):
            time.sleep(0.1)
        spans = shell.show(shell.tasks()[0]["task_id"])["spans"]
        assert {span["status"] for span in spans} == {"running"}
    finally:
        process.kill()
        process.wait()
    (task,) = shell.tasks()
    assert (task["status"], task["error_type"]) == ("failed", "abandoned")
    assert {span["status"] for span in shell.show(task["task_id"])["spans"]} == {"abandoned"}


def test_a_forked_child_writes_its_own_file_and_leaves_its_parents_spans_alone(shell: Shell) -> None:
    program = shell.program("""
import os
from agentos_otel import task, tool
@tool
def read(who): pass
with task("parent"):
    child = os.fork()
    read(child)
    if child == 0: os._exit(0)
    os.waitpid(child, 0)
""")
    subprocess.run([sys.executable, "-W", "ignore", program], env=shell.environ, cwd=shell.folder, check=True)
    (task,) = shell.tasks()
    spans = shell.show(task["task_id"])["spans"]
    assert sorted(span["name"] for span in spans) == ["execute_tool read", "execute_tool read", "task parent"]
    assert len({span["run_id"] for span in spans}) == 2
    assert task["status"] == "completed"


def test_the_points_of_a_script_that_runs_as_main_are_wrapped(shell: Shell) -> None:
    shell.program(
        """
import sys
def work(): return sys.argv[1]
class Host:
    @staticmethod
    def read(): return work()
if __name__ == "__main__":
    print(Host.read(), __file__.endswith("host.py"), __name__)
""",
        "host.py",
    )
    shell.program(
        """
name = "host"
[[point]]
target = "host:work"
kind = "tool"
[[point]]
target = "host:Host.read"
kind = "task"
name = "reading"
""",
        "map.toml",
    )
    environ = {**shell.environ, "AGENTOS_OTEL_MAP": "map.toml"}
    for arguments in (["host.py"], ["-m", "host"]):
        command = [sys.executable, "-m", "agentos_otel.auto", *arguments, "given"]
        done = subprocess.run(command, env=environ, cwd=shell.folder, capture_output=True, text=True, check=True)
        assert done.stdout == "given True __main__\n"
    for task in shell.tasks():
        assert [span["name"] for span in shell.show(task["task_id"])["spans"]] == ["task reading", "execute_tool work"]
    assert len(shell.tasks()) == 2


@pytest.mark.git
def test_gitpython_commits_in_process_are_stamped_and_recorded(shell: Shell) -> None:
    program = shell.program("""
import agentos_otel.auto
import git
from agentos_otel import task
repo = git.Repo.init("repo")
with task("commit in process") as t:
    open("repo/file", "w").write("x")
    repo.index.add(["file"])
    print(repo.index.commit("Subject").message)
print(repo.index.commit("Outside").message)
""")
    done = subprocess.run(
        [sys.executable, program], env=shell.environ, cwd=shell.folder, capture_output=True, text=True, check=True
    )
    (task,) = shell.tasks()
    block = f"Task-Id: {task['task_id']}\nSession-Id: {task['session_id']}\nTrace-Id: {task['trace_id']}"
    assert done.stdout == f"Subject\n\n{block}\n\nOutside\n"
    document = shell.show(task["commit_hash"])
    (span,) = (span for span in document["spans"] if span["kind"] == "commit")
    assert span["attributes"]["vcs.ref.head.revision"] == task["commit_hash"]


@pytest.mark.git
def test_without_hooks_and_without_trailers_the_message_stays_as_it_is(shell: Shell) -> None:
    script = "git init -q r && cd r && git commit -q --allow-empty -m Subject && git log -1 --format=%B"
    assert "Task-Id" in shell.cli("run", "--quiet", "--", "sh", "-c", script)[1]
    assert "Task-Id" not in shell.cli("run", "--quiet", "--no-hooks", "--", "sh", "-c", script)[1]
    shell.environ["AGENTOS_OTEL_TRAILERS"] = "false"
    assert "Task-Id" not in shell.cli("run", "--quiet", "--", "sh", "-c", script)[1]


@pytest.mark.git
def test_a_run_that_is_killed_itself_is_found_with_its_commits(shell: Shell) -> None:
    script = "git init -q r && cd r && git commit -q --allow-empty -m Subject && echo ready && exec sleep 20"
    command = [sys.executable, "-m", "agentos_otel", "run", "--", "sh", "-c", script]
    process = subprocess.Popen(
        command, env=shell.environ, cwd=shell.folder, stdout=-1, stderr=-1, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (task,) = shell.tasks()
    assert (task["status"], task["error_type"], task["name"]) == ("failed", "abandoned", "sh")
    document = shell.show(task["task_id"])
    assert [span["status"] for span in document["spans"]] == ["abandoned"]
    assert document["commits"][0]["trailers"]["Task-Id"] == task["task_id"]
    assert task["commit_hash"] == document["commits"][0]["sha"]


def test_a_followed_task_is_shown_again_as_it_grows_until_it_ends(shell: Shell) -> None:
    go = shell.folder / "go"
    program = shell.program(
        "import os, time\nfrom agentos_otel import stage, task\nwith task('long'):\n"
        f"    with stage('first'):\n        while not os.path.exists({str(go)!r}): time.sleep(0.05)\n"
        "    with stage('second'): pass\n"
    )
    process = subprocess.Popen([sys.executable, program], env=shell.environ, cwd=shell.folder)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not ((shell.folder / "state").exists() and shell.tasks()):
        time.sleep(0.1)
    following = shell.popen("task", "show", shell.tasks()[0]["task_id"], "--follow")
    assert following.stdout is not None
    line = ""
    while "stage first" not in line:
        line = following.stdout.readline()
    go.touch()
    assert process.wait(timeout=20) == 0
    rest, _ = following.communicate(timeout=20)
    assert "stage second" in rest
    assert "completed" in rest
    assert following.returncode == 0


def test_a_task_id_alone_in_the_environment_joins_at_the_root(shell: Shell) -> None:
    first = shell.program("from agentos_otel import stage\nwith stage('one', begins=True): pass\n")
    subprocess.run([sys.executable, first], env=shell.environ, cwd=shell.folder, check=True)
    (task,) = shell.tasks()
    second = shell.program("from agentos_otel import stage\nwith stage('two'): pass\n", "second.py")
    named = {**shell.environ, "AGENTOS_OTEL_TASK_ID": task["task_id"]}
    subprocess.run([sys.executable, second], env=named, cwd=shell.folder, check=True)
    (again,) = shell.tasks()
    assert (again["task_id"], again["status"], again["trace_id"]) == (task["task_id"], "waiting", task["trace_id"])
    document = shell.show(task["task_id"])
    spans = document["spans"]
    assert [span["name"] for span in spans if span["kind"] == "stage"] == ["stage one", "stage two"]
    assert {span["parent_span_id"] for span in spans if span["kind"] == "stage"} == {
        document["attempts"][0]["root_span_id"]
    }


def test_a_commit_is_found_while_the_command_that_made_it_runs(shell: Shell) -> None:
    go = shell.folder / "go"
    commands = f"git init -q r && cd r && git commit -q --allow-empty -m First && until [ -e {go} ]; do sleep 0.1; done"
    process = shell.popen("run", "--quiet", "--", "sh", "-c", commands)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not ((shell.folder / "state").exists() and shell.tasks()):
            time.sleep(0.1)
        head = subprocess.run(
            ["git", "-C", str(shell.folder / "r"), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        (task,) = shell.tasks()
        assert task["task_id"] in shell.cli("find", head)[1]
        assert task["ended_ns"] is None
    finally:
        go.touch()
        process.communicate(timeout=20)
    (task,) = shell.tasks()
    assert (task["status"], task["commit_hash"]) == ("completed", head)
    assert [span["status"] for span in shell.show(head)["spans"]] == ["ok"]


def test_a_root_has_the_resource_of_the_process_that_began_it(shell: Shell) -> None:
    first = shell.program(
        "from agentos_otel import stage\nwith stage('one', begins=True, produces={'k': 'id_12345678'}): pass\n"
    )
    second = shell.program(
        "from agentos_otel import stage\nwith stage('two', ends=True, joins={'k': 'id_12345678'}): pass\n", "2.py"
    )
    for service, program in (("bearer", first), ("ender", second)):
        named = {**shell.environ, "OTEL_SERVICE_NAME": service}
        subprocess.run([sys.executable, program], env=named, cwd=shell.folder, check=True)
    services = {}
    for path in (shell.folder / "state").glob("journal/live/*/*.otlp"):
        for resource in TracesData.FromString(path.read_bytes()).resource_spans:
            names = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            services[resource.scope_spans[0].spans[0].name] = names["service.name"]
    assert services == {"stage one": "bearer", "stage two": "ender", "task one": "bearer"}


FOREIGN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(("setting", "parent"), [("", None), ("env", "00f067aa0ba902b7")])
def test_a_foreign_traceparent_is_a_link_or_where_it_is_asked_for_the_parent(
    shell: Shell, setting: str, parent: str | None
) -> None:
    program = shell.program("from agentos_otel import stage, task\nwith task('t'), stage('s'): pass\n")
    environ = {**shell.environ, "TRACEPARENT": FOREIGN, "AGENTOS_OTEL_PARENT": setting}
    for _ in range(2):
        subprocess.run([sys.executable, program], env=environ, cwd=shell.folder, check=True)
    foreign = {"trace_id": FOREIGN[3:35], "span_id": FOREIGN[36:52]}
    for task in shell.tasks():
        spans = shell.show(task["task_id"])["spans"]
        root, stage = spans
        assert root["parent_span_id"] == parent
        assert stage["parent_span_id"] == root["span_id"]
        assert root["links"] == ([foreign] if parent is None else [])
        assert (root["trace_id"] == foreign["trace_id"]) is (parent is not None)
        assert "orphan" not in shell.cli("task", "show", task["task_id"])[1]
    assert len(shell.tasks()) == 2
    assert "AGENTOS_OTEL_PARENT='x' is neither" in shell_with(shell, "AGENTOS_OTEL_PARENT", "x")


def shell_with(shell: Shell, variable: str, value: str) -> str:
    shell.environ[variable] = value
    code, text = shell.cli("task", "list")
    assert code == 2
    return text
