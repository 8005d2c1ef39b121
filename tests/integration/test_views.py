"""What `task show` prints, for runs that went well, failed, were killed, and were resumed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

GOLDEN = Path(__file__).parent / "golden"
PROGRAM = """
import os, sys
from agentos_otel import agent, stage, tool

@tool
def read(): return "text"

@stage("intent", begins=True, produces={"intent_id": "result"})
def intent(): return "intent_00000001"

@agent("coder")
def code(how):
    read()
    if how == "fail": raise ValueError("it does not compile")
    if how == "kill": os.kill(os.getpid(), 9)

@stage("execution", joins={"intent_id": "given"}, ends=True)
def execution(given, how): code(how)

for how in sys.argv[1:]:
    if how == "intent": intent()
    else: execution("intent_00000001", how)
"""
RUNS = {
    "ok": [["intent"], ["well"]],
    "failed": [["intent"], ["fail"]],
    "killed": [["intent"], ["kill"]],
    "resumed": [["intent"], ["kill"], ["well"]],
}


@pytest.fixture(params=RUNS)
def shown(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, Any], dict[str, str]]:
    """A run: its name, its document, and its views."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AGENTOS_OTEL_STATE_DIR": str(tmp_path / "state"),
               "COLUMNS": "100", "TZ": "UTC", "PYTHONIOENCODING": "utf-8"}  # fmt: skip
    (tmp_path / "program.py").write_text(PROGRAM)
    for arguments in RUNS[request.param]:
        subprocess.run(
            [sys.executable, "program.py", *arguments], env=environ, cwd=tmp_path, capture_output=True, check=False
        )

    def show(*options: str) -> str:
        command = [sys.executable, "-m", "agentos_otel", "task", "show", "intent_00000001", *options]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout

    return request.param, json.loads(show("--json")), {"tree": show(), "flow": show("--flow")}


def without_chance(text: str) -> str:
    """Return the text without ids, times and durations."""
    text = re.sub(r"\b[0-9a-f]{32}\b", "TRACE", text)
    text = re.sub(r"\bauto_[0-9a-f]{12}\b", "SESSION", text)
    text = re.sub(r"\b[0-9a-f]{20}\b", "TASK", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00", "WHEN", text)
    return re.sub(r"\b\d+(\.\d+)?(ms|s)\b|\b\d+m \d\ds\b", "TOOK", text)


def test_the_views_are_the_golden_ones(shown: tuple[str, dict[str, Any], dict[str, str]]) -> None:
    name, _, views = shown
    for view, text in views.items():
        path = GOLDEN / f"{name}.{view}.txt"
        if os.environ.get("UPDATE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(without_chance(text))
        assert without_chance(text) == path.read_text()


def test_the_document_is_what_its_schema_says(shown: tuple[str, dict[str, Any], dict[str, str]]) -> None:
    schema = json.loads(files("agentos_otel").joinpath("query/task.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(shown[1])
