"""A task read from a real Jaeger, behind a real Collector, by the calls that read it here."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agentos_otel.query import sources
from tests.integration.backends import ROOT, CollectorServer, JaegerServer, eventually, send_journals
from tests.integration.homes import Home, arrived, in_jaeger

pytestmark = pytest.mark.jaeger

PROGRAM = """
import sys
from opentelemetry import trace
from agentos_otel import agent, stage, task, tool

@tool
def read(path):
    trace.get_current_span().add_event("cache.miss", {"path": path, "age": 1.5})
    trace.get_current_span().set_attributes({"sizes": [1, 2], "names": ["a", "ü"], "deep": True, "big": 2**62})
    return path

@stage("intent", produces={"intent_id": "result"})
def intent(request):
    read("setup.py")
    return sys.argv[1]

@stage("execution", consumes={"intent_id": "intent_id"})
def execute(intent_id):
    raise ValueError("no such name: " + intent_id)

with task("rename"), agent("planner"):
    made = intent("rename X to Y")
    try:
        execute(made)
    except ValueError:
        pass
"""


@pytest.fixture
def home(tmp_path: Path, jaeger: JaegerServer) -> Home:
    return Home(tmp_path, jaeger.url)


@pytest.fixture
def empty(tmp_path: Path, jaeger: JaegerServer) -> Home:
    """Another machine: nothing of the task lies there."""
    (tmp_path / "elsewhere").mkdir()
    return Home(tmp_path / "elsewhere", jaeger.url)


@pytest.fixture
def sent(home: Home, collector: CollectorServer) -> tuple[dict[str, Any], dict[str, Any]]:
    """A task as it is here, and as it is in Jaeger."""
    intent_id = f"intent_{os.urandom(6).hex()}"
    home.run(PROGRAM, intent_id)
    here = home.show(intent_id, "--from", "local")
    send_journals(collector.endpoint, home.state_dir)
    return here, arrived(home, here["task"]["task_id"], len(here["spans"]))


def test_every_span_attribute_event_and_link_is_in_jaeger_as_it_is_here(
    sent: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    here, there = sent
    assert there["spans"] == in_jaeger(here["spans"])
    assert len(here["spans"]) == 5
    assert [span["status"] for span in here["spans"]].count("error") == 1
    for part in ("attempts", "refs", "commits"):
        assert [_timeless(row) for row in there[part]] == [_timeless(row) for row in here[part]]
    equal = ("task_id", "session_id", "name", "status", "created_ns", "intent_id", "agent_ids", "trace_id")
    assert {key: there["task"][key] for key in equal} == {key: here["task"][key] for key in equal}


def _timeless(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without what the task store has by a clock read of its own."""
    return {key: value for key, value in row.items() if key not in ("seen_ns", "ended_ns")}


def test_what_jaeger_gives_has_the_documented_shape(sent: tuple[dict[str, Any], dict[str, Any]]) -> None:
    schema = json.loads((ROOT / "agentos_otel" / "query" / "task.schema.json").read_text())
    Draft202012Validator(schema).validate(sent[1])


def test_a_task_that_is_not_here_is_read_from_jaeger_by_any_of_its_ids(
    sent: tuple[dict[str, Any], dict[str, Any]], empty: Home
) -> None:
    here = sent[0]
    task = here["task"]
    for identifier in (task["task_id"], task["session_id"], task["intent_id"], task["trace_id"]):
        done = empty.shell("task", "show", identifier, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["spans"] == in_jaeger(here["spans"])
        assert "read from Jaeger" in done.stderr
    unknown = empty.shell("task", "show", "intent_nobody_made_this")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert unknown.stderr.count("\n") == 1


def test_a_search_returns_only_traces_that_have_the_attribute(
    sent: tuple[dict[str, Any], dict[str, Any]], home: Home, collector: CollectorServer
) -> None:
    # A second task of the same service, and of another session.
    home.run(PROGRAM, f"intent_{os.urandom(6).hex()}")
    send_journals(collector.endpoint, home.state_dir)
    here = sent[0]["task"]
    space = home.workspace()
    try:
        jaeger = space.jaeger()
        assert eventually(lambda: len(jaeger.search("agentos.stage.name", "execution")) >= 2)
        assert jaeger.search("task_id", here["task_id"]) == [here["trace_id"]]
        assert jaeger.search("session_id", here["session_id"]) == [here["trace_id"]]
        assert jaeger.search("task_id", "nobody") == []
        assert jaeger.trace("0af7651916cd43dd8448eb211c80319c") == []
    finally:
        space.close()


def test_spans_of_a_run_on_another_host_are_added_from_jaeger_and_come_once(
    sent: tuple[dict[str, Any], dict[str, Any]], home: Home
) -> None:
    here = sent[0]
    (journal,) = (home.state_dir / "journal").rglob("*.otlp")
    # The journal of this host gone, and the run said to be of another: what a shared task store shows there.
    journal.unlink()
    (home.state_dir / "index.db").unlink()
    space = home.workspace()
    try:
        space.host = "another"
        space.refresh()
        found, note = sources.read(space, here["task"]["task_id"])
        assert found["spans"] == in_jaeger(here["spans"])
        assert "another host" in note
        assert space.jaeger_url
        space.jaeger_url = ""
        found, note = sources.read(space, here["task"]["task_id"])
        assert (found["spans"], "set AGENTOS_OTEL_JAEGER_URL" in note) == ([], True)
    finally:
        space.close()


def test_the_link_to_the_trace_is_printed_by_show_run_and_demo(home: Home, jaeger: JaegerServer) -> None:
    ran = home.shell("run", "--", sys.executable, "-c", "")
    assert f", {jaeger.url}/trace/" in ran.stderr
    demo = home.shell("demo")
    assert demo.returncode == 0, demo.stderr
    link = next(line.split()[1] for line in demo.stdout.splitlines() if line.startswith("  jaeger"))
    task_id = demo.stdout.split()[1]
    task = home.show(task_id, "--from", "local")["task"]
    assert link == f"{jaeger.url}/trace/{task['trace_id']}"
    assert link in home.shell("task", "show", task_id).stdout
