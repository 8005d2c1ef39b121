"""`map check` resolves a map against a host that is there: what it finds, misses, and which paths lead nowhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentos_otel.cli.maps import check as command
from agentos_otel.instrumentation.map_check import check, cycles
from agentos_otel.instrumentation.point_map import parse_map

HOST = """
from dataclasses import dataclass

@dataclass
class Result:
    id: str
    @property
    def risky(self): raise RuntimeError

class Engine:
    def run(self, request: dict, *, mode="x") -> Result: return Result("1")
    async def later(self, **options): return 1
    def items(self):
        yield 1
    @staticmethod
    def static(a): return a

constant = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "checked_host.py").write_text(HOST)
    before = list(sys.path)
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path[:] = before
    sys.modules.pop("checked_host", None)


def rows(*points: str) -> str:
    return 'name = "map"\n' + "".join(f"[[point]]\n{text}\n" for text in points)


def problems(*points: str) -> list[str]:
    return [said for found in check(parse_map(rows(*points), "map")) for said in found.problems]


def test_each_kind_of_callable_is_named(folder: Path) -> None:
    names = ["Engine.run", "Engine.later", "Engine.items", "Engine.static", "gone", "constant", "Engine.gone"]
    text = rows(*(f'target = "checked_host:{name}"\nkind = "tool"' for name in names))
    states = [found.state for found in check(parse_map(text, "map"))]
    assert states == ["sync", "async", "generator", "sync", "missing", "missing", "missing"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('produces = { x = "result.id" }', ""),
        ('consumes = { x = "request.id" }', ""),
        ('consumes = { x = "self.anything" }', ""),
        ('consumes = { x = "requst.id" }', "consumes.x: 'requst.id' finds nothing: no parameter 'requst'"),
        ('produces = { x = "result.gone" }', "produces.x: 'result.gone' finds nothing: Result has no 'gone'"),
        ('produces = { x = "result.risky" }', "runs the property Result.risky: where it raises"),
        ('failed = { "reslt" = [1] }', "no parameter 'reslt'"),
        ('task = "id"', "task: 'id' finds nothing"),
        ('artifacts = ["{out}/x"]', "artifacts: 'out' finds nothing"),
        ('carry = "fn"', "carry: 'fn' finds nothing"),
    ],
)
def test_a_path_that_leads_nowhere_or_may_raise_is_one_line(folder: Path, line: str, says: str) -> None:
    found = problems(f'target = "checked_host:Engine.run"\nkind = "stage"\n{line}')
    assert len(found) == bool(says)
    assert all(says in said and "\n" not in said for said in found)


def test_a_call_that_takes_anything_may_have_any_parameter(folder: Path) -> None:
    assert problems('target = "checked_host:Engine.later"\nkind = "stage"\nconsumes = { x = "any.id" }') == []


def test_a_package_that_is_not_installed_is_left_out_where_another_is(folder: Path) -> None:
    text = (
        'name = "map"\npackages = ["checked_host", "not_installed_host"]\n[[point]]\ntarget = ".x:y"\nkind = "tool"\n'
    )
    assert [found.point.module for found in check(parse_map(text, "map"))] == ["checked_host.x"]
    alone = text.replace('"checked_host", ', "")
    assert [found.state for found in check(parse_map(alone, "map"))] == ["missing"]


def stage(name: str, *lines: str) -> str:
    return "\n".join((f'target = "h:{name}"', 'kind = "stage"', *lines))


def test_a_ring_of_stages_that_only_join_each_other_is_named() -> None:
    first = stage("first", 'joins = { b = "x" }', 'produces = { a = "result" }')
    second = stage("second", 'joins = { a = "x" }', 'produces = { b = "result" }')
    start = stage("start", 'produces = { b = "result" }')
    own = stage("own", 'joins = { c = "x" }', 'produces = { c = "result" }')
    (said,) = cycles(parse_map(rows(first, second), "map"))
    assert said.startswith("cycle: 'first' (line 2) and 'second' (line 7)")
    assert cycles(parse_map(rows(first, second, start), "map")) == []
    assert cycles(parse_map(rows(own), "map")) == []


def test_the_command_prints_what_it_found_and_exits_by_it(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "map.toml"
    good = 'target = "checked_host:Engine.run"\nkind = "stage"'
    file.write_text(rows(good))
    done = CliRunner().invoke(command, [str(file), "--path", str(folder)])
    assert (done.exit_code, done.stdout.splitlines()) == (
        0, ["sync stage       checked_host:Engine.run", "1 found, 0 missing, 0 problems"])  # fmt: skip
    file.write_text(rows(good, 'target = "checked_host:gone"\nkind = "tool"'))
    done = CliRunner().invoke(command, [str(file), "--path", str(folder), "--json"])
    said = json.loads(done.stdout)
    assert (done.exit_code, [point["state"] for point in said["points"]]) == (1, ["sync", "missing"])
    assert said["problems"] == ["checked_host:gone: checked_host has no function or method gone"]


BAD = {
    "wrong path": ('target = "checked_host.gone:run"\nkind = "stage"', "cannot be imported"),
    "wrong kind": ('target = "checked_host:Engine.run"\nkind = "stag"', "'stag' is not one of"),
    "finds nothing": (
        'target = "checked_host:Engine.run"\nkind = "stage"\nproduces = { x = "result.gone" }',
        "finds nothing",
    ),
    "raises": (
        'target = "checked_host:Engine.run"\nkind = "stage"\nproduces = { x = "result.risky" }',
        "where it raises",
    ),
}


def said_of(file: Path) -> tuple[int, str]:
    """Return the exit code of `map check`, and its one line on standard error."""
    command = [sys.executable, "-m", "agentos_otel", "map", "check", str(file), "--path", str(file.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    (line,) = done.stderr.splitlines()
    return done.returncode, line


@pytest.mark.parametrize("what", BAD)
def test_each_kind_of_bad_input_is_one_line_on_standard_error(folder: Path, what: str) -> None:
    text, says = BAD[what]
    file = folder / "map.toml"
    file.write_text(rows(text))
    code, line = said_of(file)
    assert says in line
    assert code == (2 if what == "wrong kind" else 1)


def test_a_cycle_is_one_line_on_standard_error(folder: Path) -> None:
    file = folder / "map.toml"
    lines = (
        'joins = { b = "request.b" }\nproduces = { a = "result.id" }',
        'joins = { a = "a" }\nproduces = { b = "result" }',
    )
    targets = ("Engine.run", "Engine.static")
    file.write_text(
        rows(
            *(
                f'target = "checked_host:{name}"\nkind = "stage"\n{line}'
                for name, line in zip(targets, lines, strict=True)
            )
        )
    )
    code, line = said_of(file)
    assert "cycle: 'run' (line 2) and 'static' (line 7)" in line
    assert code == 1
