"""The views of a run: golden outputs, odd data, deep and wide trees, consoles that can do less."""

from __future__ import annotations

import copy
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import agentos_otel.query.tree
from agentos_otel import stage, task, tool
from agentos_otel.cli.flow import edges, phases, print_flow
from agentos_otel.cli.format import duration, glyph, moment, printable
from agentos_otel.cli.run_view import MAX_DEPTH, print_run
from agentos_otel.cli.waterfall import Scale, print_waterfall
from agentos_otel.query.tree import build, walk, with_roots
from tests.unit import documents
from tests.unit.conftest import Recorder

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json.loads(Path(agentos_otel.query.tree.__file__).with_name("task.schema.json").read_text(encoding="utf-8"))
NOW = documents.at(12.5)


@pytest.fixture(autouse=True, scope="module")
def _utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def console(encoding: str = "utf-8", *, terminal: bool = False, width: int = 100) -> tuple[Console, io.BytesIO]:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True, newline="\n")
    return Console(file=file, width=width, force_terminal=terminal, color_system=None, highlight=False), raw


def views(document: dict[str, Any], encoding: str = "utf-8", *, terminal: bool = False, width: int = 100) -> str:
    screen, raw = console(encoding, terminal=terminal, width=width)
    print_run(screen, document)
    screen.print("\n--flow")
    print_flow(screen, document)
    screen.print("\n--waterfall")
    print_waterfall(screen, document, now_ns=NOW)
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("name", documents.SAMPLES)
def test_views_are_as_kept(name: str) -> None:
    found = views(documents.SAMPLES[name]())
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", documents.SAMPLES)
def test_samples_are_documents(name: str) -> None:
    jsonschema.validate(documents.SAMPLES[name](), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_a_recorded_run_is_a_document(recorder: Recorder) -> None:
    @tool
    def search() -> None:
        raise ValueError

    @stage("coordination")
    def coordinate() -> None:
        search()

    @task("work")
    def work() -> None:
        coordinate()

    with pytest.raises(ValueError, match=r"^$"):
        work()
    (found,) = recorder.documents()
    jsonschema.validate(found, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert "✗ stage coordination" in views(found)


def test_the_schema_refuses_what_it_does_not_name() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for part in ("spans", "refs", "runs", "attempts", "logs", "artifacts", "commits"):
        odd = documents.ok()
        odd[part][0]["surplus"] = 1
        with pytest.raises(jsonschema.ValidationError, match="surplus"):
            jsonschema.validate(odd, SCHEMA)


@pytest.mark.parametrize("name", documents.SAMPLES)
def test_an_ascii_console_gets_ascii(name: str) -> None:
    document = documents.SAMPLES[name]()
    document["task"]["name"] = "größer"
    found = views(document, "ascii")
    assert "gr\\xf6\\xdfer" in found
    assert len(found.splitlines()) == len(views(document).splitlines())


@pytest.mark.parametrize("width", [20, 40, 100])
def test_lines_are_cut_to_a_terminal(width: int) -> None:
    document = documents.ok()
    document["spans"][1]["name"] = "名" * 200
    screen, _ = console(width=width)
    assert all(
        screen.measure(line).maximum <= width for line in views(document, terminal=True, width=width).splitlines()
    )


def test_no_control_character_and_no_markup_takes_effect() -> None:
    found = views(documents.failed())
    assert "[red]list\\x1b[2J files[/red]" in found
    assert all(char == "\n" or char.isprintable() for char in found)


def test_roots_come_before_orphans_and_children_by_start() -> None:
    spans: list[dict[str, Any]] = [
        {"trace_id": "t", "span_id": "o", "parent_span_id": "gone", "start_ns": 0},
        {"trace_id": "t", "span_id": "b", "parent_span_id": "r", "start_ns": 3},
        {"trace_id": "t", "span_id": "a", "parent_span_id": "r", "start_ns": 2},
        {"trace_id": "t", "span_id": "r", "parent_span_id": None, "start_ns": 1},
    ]
    found = [(depth, node.span["span_id"], node.orphan) for depth, node in walk(build(spans))]
    assert found == [(0, "r", False), (1, "a", False), (1, "b", False), (0, "o", True)]


@given(st.lists(st.tuples(st.integers(0, 6), st.none() | st.integers(0, 6), st.none() | st.integers(-2, 2))))
def test_a_tree_has_every_span_once(edges_: list[tuple[int, int | None, int | None]]) -> None:
    spans: list[dict[str, Any]] = [
        {"trace_id": "t", "span_id": str(own), "parent_span_id": parent and str(parent), "start_ns": start}
        for own, parent, start in edges_
    ]
    found = [id(node.span) for _, node in walk(build(spans))]
    assert sorted(found) == sorted(map(id, spans))


def test_depth_is_no_limit() -> None:
    document = documents.ok()
    sample = document["spans"][0]
    document["spans"] = [
        {**sample, "span_id": f"{number:016x}", "parent_span_id": f"{number - 1:016x}" if number else None}
        for number in range(50_000)
    ]
    assert max(depth for depth, _ in walk(build(document["spans"]))) == 49_999
    document["spans"] = document["spans"][:3000]
    found = views(document)
    assert f"({MAX_DEPTH + 1} deep)" in found
    assert max(map(len, found.splitlines())) < 200


def test_the_root_that_is_not_written_yet_is_shown_as_its_attempt() -> None:
    document = documents.killed()
    assert with_roots(document)[0]["name"] == "task rename"
    document["spans"] = []
    assert with_roots(document) == []


def test_phases_that_did_not_run_are_pending_or_skipped() -> None:
    def states(document: dict[str, Any]) -> list[str]:
        return [f"{node['name']} {node['state']}" for node in phases(document)]

    document = documents.running()
    assert states(document) == ["intent ok", "coordination running", "dry_execution pending", "execution pending"]
    assert states(documents.failed())[2:] == ["dry_execution skipped", "execution skipped"]
    assert states(documents.resumed()) == ["intent ok", "coordination ok", "dry_execution skipped", "execution ok"]
    for span in document["spans"]:
        span["stage"] = f"my {span['stage']}"
    document["task"]["phase"], document["refs"] = "", []
    assert states(document) == ["my intent ok", "my coordination running"]


def test_an_id_labels_the_edge_from_its_first_producer() -> None:
    document = documents.ok()
    again = {**document["refs"][0], "stage": "execution", "seen_ns": NOW}
    document["refs"] += [again, {**again, "role": "consumed"}]
    found = edges(document, [node["name"] for node in phases(document)])
    assert found["intent", "execution"] == ["intent_id = intent_1d4b76ef"]
    assert ("execution", "intent") not in found


def test_a_wait_is_folded_and_work_keeps_two_thirds_of_the_width() -> None:
    busy = [(number * documents.HOUR, number * documents.HOUR + documents.SECOND) for number in range(40)]
    scale = Scale([(float(start), float(end)) for start, end in busy], 60)
    assert len(scale.folded) == 39
    columns = [scale.column(start) for start, _ in busy]
    assert columns == sorted(columns)
    assert scale.column(busy[-1][1]) == 60


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (None, ""),
        (0, "0.0ms"),
        (1_240_000_000, "1.24s"),
        (999_960_000, "1.00s"),
        (59_996_000_000, "1m 00s"),
        (185_000_000_000, "3m 05s"),
        (52 * documents.HOUR, "2d 4h"),
        (-2 * documents.SECOND, "-2.00s"),
        (float("inf"), "?"),
    ],
)
def test_durations(nanoseconds: float | None, text: str) -> None:
    assert duration(nanoseconds) == text


def test_times_states_and_text() -> None:
    assert moment(documents.START, UTC) == "2026-05-28 20:26:40+00:00"
    assert moment(10**40).endswith("ns")
    assert glyph("never heard of") == "?"
    assert printable("a\tb\u202e\ud800") == "a\\tb\\u202e\\ud800"


NUMBERS = st.none() | st.integers() | st.just(10**400) | st.integers(0, 3).map(documents.at) | st.floats()
TEXTS = st.none() | st.text(max_size=8) | st.sampled_from(["intent", "execution", "ok", "error", "[red]", "\x1b[2J"])
IDS = st.sampled_from([None, "", "1", "2", "3", "4"])
VALUES = st.recursive(NUMBERS | TEXTS | st.booleans(), lambda inner: st.lists(inner, max_size=2), max_leaves=3)


@st.composite
def odd_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a document whose records are a sample's with some fields replaced or gone."""
    document = copy.deepcopy(documents.SAMPLES[draw(st.sampled_from(sorted(documents.SAMPLES)))]())
    parts = [part for part in document.values() if isinstance(part, list) and part]
    records = [document["task"], *(draw(st.sampled_from(part)) for part in draw(st.lists(st.sampled_from(parts))))]
    for record in records:
        for key in draw(st.lists(st.sampled_from(sorted(record)), max_size=4)) if record else ():
            if draw(st.booleans()):
                record[key] = draw(IDS if key.endswith("span_id") else NUMBERS if key.endswith("_ns") else VALUES)
            else:
                record.pop(key, None)
    for key in draw(st.lists(st.sampled_from(sorted(document)), max_size=2)):
        document[key] = draw(VALUES)
    return document


@given(odd_documents(), st.booleans(), st.sampled_from(["utf-8", "ascii"]))
def test_odd_documents_are_shown_all_the_same(document: dict[str, Any], terminal: bool, encoding: str) -> None:
    found = views(document, encoding, terminal=terminal)
    assert "\x1b[2J" not in found


def test_five_hundred_spans_are_shown_without_heavy_imports() -> None:
    script = (
        "import sys; from tests.unit import documents; from rich.console import Console\n"
        "from agentos_otel.cli.run_view import print_run\n"
        "document = documents.ok(); last = document['spans'][-1]\n"
        "document['spans'] += [{**last, 'span_id': f'{n:016x}'} for n in range(100, 600)]\n"
        "print_run(Console(), document)\n"
        "print(sorted({'rich.table', 'rich.markdown', 'rich.syntax', 'pygments', 'sqlite3'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"}
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert done.stdout.count("git_commit") == 501
