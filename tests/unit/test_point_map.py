"""The map of points: every error is one line that names the line and the key."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentos_otel
from agentos_otel.errors import ConfigurationError
from agentos_otel.instrumentation.point_map import load_map, parse_map

GOOD = """\
name = "host"
packages = ["old", "new"]

[[point]]
target = ".core:Builder.build"
kind = "stage"
name = "intent"
produces = { intent_id = ["result.id", "result.other"] }
failed = { "result.status" = ["failed"], "result" = ["<none>"] }

[[point]]
target = "tools:run"
kind = "tool"
"""


def test_a_map_gives_its_points_for_each_alternative_package() -> None:
    found = parse_map(GOOD, "map.toml")
    assert [(p.module, p.qualname, p.point.name) for p in found.points] == [
        ("old.core", "Builder.build", "intent"),
        ("new.core", "Builder.build", "intent"),
        ("tools", "run", "run"),
    ]
    point = found.points[0].point
    assert [(item.kind, item.path, item.use) for item in point.ids] == [
        ("intent_id", "result.id", "produces"),
        ("intent_id", "result.other", "produces"),
    ]
    assert point.failed[1].values == (None,)


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        (GOOD.replace('"stage"', '"stagee"'), 6, "kind", "did you mean 'stage'"),
        (GOOD.replace("produces", "produce"), 8, "produce", "did you mean 'produces'"),
        (GOOD.replace('"tools:run"', '"tools.run"'), 12, "target", "module:QualName"),
        (GOOD.replace('name = "intent"', "name = 3"), 7, "name", "must be a text"),
        (GOOD.replace("result.other", "result other"), 8, "produces.intent_id", "is not a path"),
        (GOOD.replace("produces", "joins"), 8, "joins.intent_id", "no result before the call"),
        (GOOD.replace('name = "intent"', 'control_flow = ["Submitted"]'), 7, "control_flow", "module:Class"),
        (GOOD + '\n[[point]]\ntarget = "tools:run"\nkind = "tool"\n', 15, "target", "already"),
        (GOOD.replace('packages = ["old", "new"]', ""), 5, "target", "no packages"),
        ('name = "x"\n', 1, "point", "at least one"),
        ("name = \n", 1, "", "not TOML"),
    ],
)
def test_an_error_names_source_line_and_key(text: str, line: int, key: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_map(text, "map.toml")
    message = str(caught.value)
    assert message.startswith(f"map.toml:{line}: ")
    assert says in message
    assert not key or f"key {key!r}" in message
    assert "\n" not in message


@given(st.one_of(st.text(max_size=200), st.text("[]point=\"'.{}#\n atrgek", max_size=100).map(lambda t: GOOD + t)))
def test_no_text_raises_anything_but_a_configuration_error(text: str) -> None:
    with suppress(ConfigurationError):
        parse_map(text, "map.toml")


def test_the_shipped_maps_are_valid() -> None:
    package = Path(agentos_otel.__file__).parent
    maps = [*(package / "instrumentation" / "maps").glob("*.toml"), package / "demo" / "map.toml"]
    assert all(load_map(path).points for path in maps)
