"""However a traced program dies, nothing that it reached is lost; the table at the end says it row by row."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentos_otel import bootstrap
from agentos_otel.journal.reader import read_file
from agentos_otel.query.document import document
from agentos_otel.settings import Settings

VICTIM = Path(__file__).parents[1] / "samples" / "victim.py"
RUN = [sys.executable, "-m", "agentos_otel", "run", "--quiet", "--"]

# Way to die: the status of the task, of the stage that was running, and of the child's stage where there is one.
EXPECTED = {
    "exit": ("completed", "ok", None),
    "sys.exit in a stage": ("failed", "error", None),
    "unhandled exception": ("failed", "error", None),
    "SIGINT": ("failed", "error", None),
    "SIGTERM": ("failed", "abandoned", None),
    "os._exit": ("failed", "abandoned", None),
    "kill -9": ("failed", "abandoned", None),
    "abort": ("failed", "abandoned", None),
    "memory limit: killed": ("failed", "abandoned", None),
    "memory limit: MemoryError": ("failed", "error", None),
    "fork": ("completed", "ok", "abandoned"),
    "fork that outlives": ("failed", "abandoned", "abandoned"),
    "multiprocessing fork": ("completed", "ok", "abandoned"),
    "multiprocessing spawn": ("completed", "ok", "abandoned"),
    "exit beside a thread": ("completed", "ok", "abandoned"),
    "exec": ("failed", "abandoned", None),
    "in the middle of a record": ("failed", "abandoned", None),
}
SIGNALS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM, "kill -9": signal.SIGKILL}


@pytest.fixture(scope="module")
def table(pytestconfig: pytest.Config) -> Iterator[list[list[str]]]:
    """The rows, printed when all ways have been tried."""
    head = ["way to die", "spans ended", "stages begun", "log records", "tasks row", "commit", "the running stage"]
    rows: list[list[str]] = []
    yield rows
    lines = [head, *sorted(rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    reporter = pytestconfig.pluginmanager.getplugin("terminalreporter")
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        reporter.write_line("")
        for line in lines:
            reporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


class Victim:
    """One run of the program, told to die in `way`."""

    def __init__(self, folder: Path, way: str) -> None:
        state = folder / "state"
        self.settings = Settings(state, f"sqlite:///{state / 'tasks.db'}")
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AGENTOS_OTEL_STATE_DIR": str(state),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Test" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "test@example.org" for who in ("AUTHOR", "COMMITTER")},
        }
        subprocess.run(["git", "init", "-q", folder / "repo"], env=environ, check=True)
        # A process that multiprocessing spawns finds its task in the environment alone, where `run` puts it.
        prefix = RUN if "spawn" in way else []
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-W", "ignore", str(VICTIM), way],
            env=environ, cwd=folder / "repo", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self.reached: list[tuple[str, str]] = []

    def __enter__(self) -> Victim:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def read_until(self, wanted: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            what, _, value = line.decode().strip().partition(" ")
            self.reached.append((what, value))
            if what == wanted:
                return

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def look(self) -> dict[str, Any]:
        (found,) = all_tasks(self.settings)
        return found


def stages(found: dict[str, Any]) -> dict[str, str]:
    return {span["stage"]: span["status"] for span in found["spans"] if span["kind"] == "stage"}


@pytest.mark.git
@pytest.mark.parametrize("way", EXPECTED)
def test_nothing_that_was_reached_is_lost(
    tmp_path: Path, way: str, table: list[list[str]], memory_limit: Path | None
) -> None:
    with Victim(tmp_path, way) as victim:
        victim.read_until("ready")
        running = victim.look()
        assert stages(running) == {"intent": "ok", "execution": "running"}
        assert running["task"]["ended_ns"] is None
        if memory_limit is not None:
            (memory_limit / "cgroup.procs").write_text(str(victim.process.pid))
        victim.go()
        if way in SIGNALS:
            time.sleep(0.2)
            victim.process.send_signal(SIGNALS[way])
        victim.read_until("the end of the pipe, which every process of the victim holds")
    found = victim.look()
    task_status, stage_status, child_status = EXPECTED[way]
    kept, reached = what_is_kept(found), Counter(what for what, _ in victim.reached)
    shown = stages(found)
    table.append(
        [
            way,
            *(f"{kept[what]}/{reached[what]}" for what in ("span", "stage", "log")),
            found["task"]["status"],
            f"{kept['commit']}/{reached['commit']}",
            f"running, then {shown['execution']}",
        ]
    )
    expected_reached = {"span": 40, "stage": 2, "log": 40, "commit": 1}
    if child_status is not None:
        expected_reached.update(span=60, stage=3, log=60)
    for what, count in expected_reached.items():
        assert reached[what] == kept[what] == count, what
    assert found["task"]["status"] == task_status
    assert shown == {"intent": "ok", "execution": stage_status, **({"child": child_status} if child_status else {})}
    assert {value for what, value in victim.reached if what == "log"} == {log["body"] for log in found["logs"]}
    assert [commit["sha"] for commit in found["commits"]] == [v for what, v in victim.reached if what == "commit"]
    assert not any(found["losses"].values())
    roots = [span for span in found["spans"] if span["parent_span_id"] is None]
    assert len(roots) == 1
    assert len(found["spans"]) == len({span["span_id"] for span in found["spans"]})
    ids = {span["span_id"] for span in found["spans"]}
    assert not [span["name"] for span in found["spans"] if span["parent_span_id"] and span["parent_span_id"] not in ids]
    assert {run["state"] for run in found["runs"]} == {"ended"}
    assert victim.look() == found


def what_is_kept(found: dict[str, Any]) -> Counter[str]:
    kept: Counter[str] = Counter()
    kept["span"] = sum(span["kind"] == "tool" and span["status"] == "ok" for span in found["spans"])
    kept["stage"] = sum(span["kind"] == "stage" for span in found["spans"])
    kept["log"] = len(found["logs"])
    kept["commit"] = len(found["commits"])
    return kept


@pytest.fixture
def memory_limit(request: pytest.FixtureRequest) -> Iterator[Path | None]:
    """A control group whose processes are killed when they take more than 100 MB; None where the way needs none."""
    if request.getfixturevalue("way") != "memory limit: killed":
        yield None
        return
    v1, v2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    group = (v1 if v1.is_dir() else v2) / f"agentos-otel-test-{os.getpid()}"
    limits = {"memory.limit_in_bytes": "100M"} if v1.is_dir() else {"memory.max": "100M", "memory.swap.max": "0"}
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    for name, value in limits.items():
        (group / name).write_text(value)
    yield group
    group.rmdir()


def test_a_record_is_really_cut_by_a_kill_in_the_middle_of_its_write(tmp_path: Path) -> None:
    for number in range(10):  # now and then the kernel has finished before the kill comes
        folder = tmp_path / str(number)
        folder.mkdir()
        with Victim(folder, "in the middle of a record") as victim:
            victim.read_until("ready")
            victim.go()
            victim.read_until("the end of the pipe")
        (journal,) = (folder / "state" / "journal" / "live").rglob("*.otlp")
        border, size = read_file(journal).next_offset, journal.stat().st_size
        if border < size:
            break
    assert 0 < size - border < 2 << 20
    victim.look()
    assert read_file(journal).next_offset == journal.stat().st_size


@pytest.mark.parametrize("preload", [True, False], ids=["preloaded", "loaded in each worker"])
def test_gunicorn_replaces_its_workers_and_nothing_is_lost(
    tmp_path: Path, preload: bool, table: list[list[str]]
) -> None:
    state, address = tmp_path / "state", str(tmp_path / "socket")
    command = [
        *(sys.executable, "-m", "gunicorn", "--chdir", str(VICTIM.parent), "--bind", f"unix:{address}"),
        *("--workers", "2", "--max-requests", "5", "--graceful-timeout", "5"),
        *(["--preload"] if preload else []),
        "wsgi_app",
    ]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AGENTOS_OTEL_STATE_DIR": str(state)}
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as server:
        try:
            answered = [request(address, "/") for _ in range(40)]
            assert request(address, "/die") == ""
            answered += [request(address, "/") for _ in range(10)]
        finally:
            server.terminate()
    found = all_tasks(Settings(state, f"sqlite:///{state / 'tasks.db'}"))
    done = {each["task"]["task_id"]: each for each in found if each["task"]["name"] == "request"}
    ended = sum(span["status"] == "ok" for each in done.values() for span in each["spans"])
    begun = sum(span["kind"] == "stage" for each in done.values() for span in each["spans"])
    logs = sum(len(each["logs"]) for each in done.values())
    killed = [each for each in done.values() if each["task"]["status"] != "completed"]
    way = f"gunicorn --max-requests{' --preload' if preload else ''}"
    dying = ", ".join(span["status"] for span in killed[0]["spans"] if span["kind"] == "stage")
    table.append([way, f"{ended}/151", f"{begun}/51", f"{logs}/51", f"{len(done)} of 51", "-", f"killed, then {dying}"])
    assert (ended, begun, logs, len(done)) == (151, 51, 51, 51)
    assert set(answered) < set(done)
    assert len(set(answered)) == 50
    (one,) = killed
    assert (one["task"]["error_type"], dying) == ("abandoned", "abandoned")
    assert len({run["run_id"] for each in done.values() for run in each["runs"]}) >= 10
    assert {run["state"] for each in found for run in each["runs"]} == {"ended"}


def request(address: str, path: str) -> str:
    """Return the body of the answer to a request; waits for the server, empty if it died meanwhile."""
    deadline = time.monotonic() + 30
    while True:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(address)
                client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                answer = b"".join(iter(lambda: client.recv(65536), b""))
            except (FileNotFoundError, ConnectionRefusedError):  # it does not listen yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
                continue
        return answer.partition(b"\r\n\r\n")[2].decode()


def all_tasks(settings: Settings) -> list[dict[str, Any]]:
    """Look as any command does."""
    space = bootstrap.open_workspace(settings)
    try:
        space.refresh()
        rows = space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=1000)
        return [document(space, row["task_id"]) for row in rows]
    finally:
        space.close()
