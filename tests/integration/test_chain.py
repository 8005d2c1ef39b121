"""The demo pipeline's separate processes are one task, whatever happens in between."""

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

HOME = Path(__file__).parents[2] / "agentos_otel" / "demo"
ACTIVATED = [sys.executable, "-m", "agentos_otel.auto"]
UNDER_RUN = [sys.executable, "-m", "agentos_otel", "run", "--quiet", "--", sys.executable]

pytestmark = pytest.mark.git


class Chain:
    """One host: a repository, a state directory, and the stages as a user would run them."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.folder = folder
        self.repo = folder / "repo"
        self.state = folder / "state"
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(HOME),
            "AGENTOS_OTEL_MAP": str(HOME / "map.toml"),
            "AGENTOS_OTEL_STATE_DIR": str(self.state),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Test" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "test@example.org" for who in ("AUTHOR", "COMMITTER")},
        }
        if database_url:
            self.environ["AGENTOS_OTEL_DATABASE_URL"] = database_url
        plain = [sys.executable, "-m", "rename_pipeline", "sample", "--out", str(self.repo)]
        subprocess.run(plain, env=self.environ, check=True, capture_output=True)

    def commands(self, work: str = "work") -> dict[str, list[str]]:
        folder = self.folder / work
        folder.mkdir(exist_ok=True)
        request = "rename total_price to amount_due in this repository"
        i, c, d, q, a, e = (str(folder / f"{name}.json") for name in "icdqae")
        return {
            "intent": ["intent", "--repo", str(self.repo), "--request", request, "--out", i],
            "coordination": ["coordinate", "--intent", i, "--out", c],
            "dry_execution": ["dry-run", "--coordination", c, "--out", d],
            "questions": ["ask", "--dry-result", d, "--out", q],
            "answers": ["answer", "--questions", q, "--out", a],
            "execution": ["execute", "--dry-result", d, "--answers", a, "--out", e],
        }

    def start(self, prefix: list[str], arguments: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*prefix, "-m", "rename_pipeline", *arguments],
            env=self.environ, cwd=self.repo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, prefix: list[str], arguments: list[str]) -> dict[str, str]:
        process = self.start(prefix, arguments)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def cli(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "agentos_otel", *arguments],
            env=self.environ, cwd=self.repo, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout if code == 0 else done.stderr

    def show(self, identifier: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.cli("task", "show", identifier, "--json"))
        return shown

    def tasks(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.cli("task", "list", "--json"))["tasks"]
        return rows


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


def roots_and_orphans(document: dict[str, Any]) -> tuple[int, list[str]]:
    ids = {span["span_id"] for span in document["spans"]}
    roots = [span for span in document["spans"] if span["parent_span_id"] is None]
    orphans = [s["name"] for s in document["spans"] if s["parent_span_id"] and s["parent_span_id"] not in ids]
    return len(roots), orphans


@pytest.mark.parametrize("prefix", [ACTIVATED, UNDER_RUN], ids=["auto", "run"])
def test_separate_processes_are_one_task_and_one_trace_that_every_printed_id_finds(
    tmp_path: Path, database_url: str, prefix: list[str]
) -> None:
    chain = Chain(tmp_path, database_url)
    printed: dict[str, str] = {}
    for stage, arguments in chain.commands().items():
        printed.update(chain.run(prefix, arguments))
        (task,) = chain.tasks()
        assert task["status"] == ("completed" if stage == "execution" else "waiting")
    document = chain.show(printed["intent_id"])
    assert roots_and_orphans(document) == (1, [])
    assert len({span["trace_id"] for span in document["spans"]}) == 1
    stages = [span["stage"] for span in document["spans"] if span["kind"] == "stage"]
    assert stages == list(chain.commands())
    assert document["task"]["commit_hash"] == printed["commit"]
    assert document["commits"][0]["trailers"]["Task-Id"] == task["task_id"]
    assert {artifact["state"] for artifact in document["artifacts"]} == {"present"}
    assert document["logs"]
    for kind, value in printed.items():
        if kind != "branch":
            assert task["task_id"] in chain.cli("find", value), kind
    for span in document["spans"]:
        assert span["attributes"]["task_id"] == task["task_id"]
        assert span["attributes"]["session_id"] == task["session_id"]


def test_two_demos_at_once_on_one_repository_stay_two_tasks(chain: Chain) -> None:
    works = [chain.commands("one"), chain.commands("two")]
    for stage in works[0]:
        running = [chain.start(ACTIVATED, work[stage]) for work in works]
        for process in running:
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
    tasks = chain.tasks()
    assert [task["status"] for task in tasks] == ["completed", "completed"]
    assert len({task["commit_hash"] for task in tasks}) == 2
    for task in tasks:
        document = chain.show(task["task_id"])
        assert roots_and_orphans(document) == (1, [])
        assert sum(span["kind"] == "stage" for span in document["spans"]) == 6


def test_the_tree_decoded_by_official_classes_is_the_tree_that_is_shown(chain: Chain) -> None:
    printed: dict[str, str] = {}
    for arguments in chain.commands().values():
        printed.update(chain.run(ACTIVATED, arguments))
    decoded = {}
    for path in chain.state.glob("journal/live/*/*.otlp"):
        for resource in TracesData.FromString(path.read_bytes()).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    times = (span.start_time_unix_nano, span.end_time_unix_nano)
                    decoded[span.span_id.hex()] = (span.parent_span_id.hex() or None, span.name, *times)
    shown = {
        span["span_id"]: (span["parent_span_id"], span["name"], span["start_ns"], span["end_ns"])
        for span in chain.show(printed["intent_id"])["spans"]
    }
    assert decoded == shown


@pytest.fixture
def killed(chain: Chain) -> tuple[Chain, dict[str, list[str]]]:
    """A chain whose execution was killed with -9 while its tests ran."""
    commands = chain.commands()
    for stage, arguments in commands.items():
        if stage != "execution":
            chain.run(ACTIVATED, arguments)
    wait = chain.folder / "sitecustomize.py"
    wait.write_text("import sys, time\nif 'unittest' in sys.orig_argv: time.sleep(20)\n")
    slowed = {**chain.environ, "PYTHONPATH": f"{chain.folder}:{HOME}"}
    process = subprocess.Popen(
        [*ACTIVATED, "-m", "rename_pipeline", *commands["execution"]],
        env=slowed, cwd=chain.repo, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        document = chain.show(chain.tasks()[0]["task_id"])
        if any(span["stage"] == "execution" for span in document["spans"]):
            break
    assert [s["status"] for s in document["spans"] if s["stage"] == "execution"] == ["running"]
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return chain, commands


def test_a_killed_stage_is_shown_at_once_and_run_again_joins_the_same_trace(
    killed: tuple[Chain, dict[str, list[str]]],
) -> None:
    chain, commands = killed
    (task,) = chain.tasks()
    assert task["status"] == "waiting"
    document = chain.show(task["task_id"])
    stages = [(span["stage"], span["status"]) for span in document["spans"] if span["kind"] == "stage"]
    assert stages == [(name, "ok") for name in list(commands)[:-1]] + [("execution", "abandoned")]
    assert roots_and_orphans(document) == (1, [])
    printed = chain.run(ACTIVATED, commands["execution"])
    document = chain.show(printed["commit"])
    assert document["task"]["task_id"] == task["task_id"]
    assert document["task"]["status"] == "completed"
    assert len({span["trace_id"] for span in document["spans"]}) == 1
    assert roots_and_orphans(document) == (1, [])
    assert {"abandoned", "ok"} == {span["status"] for span in document["spans"] if span["stage"] == "execution"}


def test_what_follows_the_end_of_a_task_is_its_next_attempt_in_a_trace_of_its_own(chain: Chain) -> None:
    commands = chain.commands()
    for arguments in commands.values():
        chain.run(ACTIVATED, arguments)
    chain.run(ACTIVATED, commands["execution"])
    (task,) = chain.tasks()
    document = chain.show(task["task_id"])
    assert [attempt["attempt"] for attempt in document["attempts"]] == [1, 2]
    first, second = (attempt["trace_id"] for attempt in document["attempts"])
    roots = {s["trace_id"]: s for s in document["spans"] if s["parent_span_id"] is None}
    assert roots[second]["links"] == [{"trace_id": first, "span_id": document["attempts"][0]["root_span_id"]}]
    assert task["trace_id"] == second
    assert len(document["commits"]) == 2


def test_a_first_stage_that_is_run_again_under_run_task_joins_its_task(chain: Chain) -> None:
    commands = chain.commands()
    chain.run(ACTIVATED, commands["intent"])
    (task,) = chain.tasks()
    python = [sys.executable, "-m", "rename_pipeline", *commands["intent"]]
    chain.cli("run", "--quiet", "--task", task["task_id"], "--", *python)
    (again,) = chain.tasks()
    assert again["task_id"] == task["task_id"]
    stages = [span["stage"] for span in chain.show(task["task_id"])["spans"] if span["kind"] == "stage"]
    assert stages == ["intent", "intent"]


RACER = """
import sys, time
from agentos_otel import stage
@stage("warm-up", begins=True)
def warm(): pass
@stage("coordination", joins={"intent_id": "intent"})
def coordinate(intent): pass
warm()
time.sleep(max(0, float(sys.argv[1]) - time.time()))
coordinate("intent_never_produced")
"""


def test_fifty_racing_births_of_one_id_make_one_task(tmp_path: Path, database_url: str) -> None:
    chain = Chain(tmp_path, database_url)
    begin = str(time.time() + 8)
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, begin], env=chain.environ, cwd=chain.repo) for _ in range(50)
    ]
    assert {racer.wait(timeout=60) for racer in racers} == {0}
    rows = json.loads(chain.cli("task", "list", "--count", "200", "--json"))["tasks"]
    assert [row["name"] for row in rows].count("coordination") == 1
