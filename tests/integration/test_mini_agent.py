"""A real agent from PyPI, unmodified, under `agentos-otel run`, by its map alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).parents[1] / "samples" / "run_mini_agent.py"

pytestmark = [pytest.mark.agent, pytest.mark.git]

STEPS = [
    ["echo hello > hello.txt", "git add hello.txt"],
    ["false"],
    ["git commit -q -m 'Add hello'"],
    ["echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"],
]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "MSWEA_CONFIGURED": "true",
        "MSWEA_SILENT_STARTUP": "1",
        "MSWEA_GLOBAL_CONFIG_DIR": str(tmp_path / "mini"),
        "AGENTOS_OTEL_STATE_DIR": str(tmp_path / "state"),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_NAME": "Test" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "test@example.org" for who in ("AUTHOR", "COMMITTER")},
    }


def cli(environ: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "agentos_otel", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_steps_and_commands_are_spans_and_its_commit_carries_the_trailers(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    repository, script, trajectory = tmp_path / "repo", tmp_path / "steps.json", tmp_path / "trajectory.json"
    subprocess.run(["git", "init", "-q", repository], env=environ, check=True)
    script.write_text(json.dumps(STEPS))
    python = [sys.executable, str(DRIVER), str(repository), str(script), str(trajectory)]
    assert cli(environ, "run", "--quiet", "--", *python).strip().endswith("Submitted")
    head = ["git", "-C", str(repository), "log", "-1", "--format=%H%n%B"]
    sha, *message = subprocess.run(head, env=environ, capture_output=True, text=True, check=True).stdout.splitlines()
    document: dict[str, Any] = json.loads(cli(environ, "task", "show", sha, "--json"))
    task, spans = document["task"], document["spans"]
    assert task["status"] == "completed"
    assert task["commit_hash"] == sha
    assert f"Task-Id: {task['task_id']}" in message
    assert f"Trace-Id: {task['trace_id']}" in message

    said = [m for m in json.loads(trajectory.read_text())["messages"] if m["role"] == "assistant"]
    commands = [len(step["extra"]["actions"]) for step in said]
    (root,) = (span for span in spans if span["parent_span_id"] is None)
    steps = [span for span in spans if span["kind"] == "agent"]
    assert (root["kind"], len(steps)) == ("task", len(said))
    assert {step["parent_span_id"] for step in steps} == {root["span_id"]}
    made = [sum(s["kind"] == "tool" and s["parent_span_id"] == step["span_id"] for s in spans) for step in steps]
    assert made == commands == [2, 1, 1, 1]
    assert {span["status"] for span in spans} == {"ok"}
    (commit,) = document["commits"]
    holder = next(span for span in spans if span["span_id"] == commit["span_id"])
    assert (holder["name"], holder["parent_span_id"]) == ("execute_tool bash", steps[2]["span_id"])
    assert holder["attributes"]["vcs.ref.head.revision"] == sha


def test_an_agent_that_raises_fails_its_task_with_the_type_of_its_exception(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    repository, script = tmp_path / "repo", tmp_path / "steps.json"
    subprocess.run(["git", "init", "-q", repository], env=environ, check=True)
    script.write_text(json.dumps([["true"]]))
    command = [sys.executable, "-m", "agentos_otel", "run", "--quiet", "--", sys.executable, str(DRIVER)]
    arguments = [str(repository), str(script), str(tmp_path / "trajectory.json")]
    done = subprocess.run([*command, *arguments], env=environ, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1, "the script is shorter than the agent's loop: an IndexError ends it"
    (task,) = json.loads(cli(environ, "task", "list", "--json"))["tasks"]
    assert (task["status"], task["error_type"]) == ("failed", "IndexError")
