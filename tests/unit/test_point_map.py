"""The map of points: every error is one line that names the line and the key."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
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
        (GOOD + '\n[[point]]\ntarget = "tools:run"\nkind = "tool"\n', 16, "target", "(line 12)"),
        (GOOD.replace('packages = ["old", "new"]', ""), 5, "target", "no packages"),
        (
            GOOD.replace("produces =", "begins = true\njoins = { a = 'request' }\nproduces ="),
            8,
            "begins",
            "cannot join",
        ),
        (GOOD.replace("produces =", "consumes ="), 8, "consumes.intent_id", "no result before the call"),
        (GOOD.replace('"result.id", ', '"result.id",\n  3, '), 8, "produces.intent_id", "3 is not a path"),
        (GOOD.replace('["failed"]', '"failed"'), 9, "failed.result.status", "must be a list"),
        (GOOD.replace('"result" = ', "result.status = "), 9, "failed.result", "must be a list"),
        (GOOD.replace('["old", "new"]', '["old", "old"]'), 2, "packages", "stands twice"),
        (GOOD.replace('["old", "new"]', '["old",\n "not good"]'), 2, "packages", "no package's name"),
        (GOOD + "begin = true\n", 14, "begin", "did you mean 'begins'"),
        (GOOD + "capture = 1\n", 14, "capture", "true or false"),
        (GOOD + "artifacts = [\n  'out',\n  '.x',\n]\n", 14, "artifacts", "'.x' is not a path"),
        (GOOD + "[point.attributes]\na = 1\nb = 1979-05-27\n", 16, "attributes.b", "no text, number"),
        (GOOD + "[point.attributes]\na = [1, 'x']\n", 15, "attributes.a", "list of one"),
        (GOOD.replace('target = "tools:run"', ""), 11, "target", "missing"),
        (GOOD.replace('kind = "tool"', ""), 11, "kind", "missing: write one of task, stage"),
        (GOOD + "session = 'result.session'\n", 14, "session", "name a parameter"),
        ("x = '''\n[[point]]\ntarge = 1\n'''\n", 1, "x", "unknown"),
        (
            'name = "x"\npoint = [\n  {target = "a:b",\n kind = "tool"}]\n'.replace(",\n kind", ", kind").replace(
                "tool", "tol"
            ),
            3,
            "kind",
            "did you mean 'tool'",
        ),
        ('name = "#x\\"[[point]]"\n\n"pont" = 1\n', 3, "pont", "did you mean 'point'"),
        (f"x = {'1' * 5000}", 1, "", "not TOML"),
        (f"x = {'[' * 5000}", 1, "", "not TOML"),
        ('name = "x"\n', 1, "point", "at least one"),
        (GOOD + "fails = true\n", 14, "fails", "only an event"),
        (GOOD.replace('"stage"', '"event"').replace("produces", "joins"), 8, "joins", "an event has no span"),
        (GOOD.replace('"tool"', '"event"') + "begins = true\n", 14, "begins", "an event has no span"),
        (GOOD + "carry = 'a.b'\n", 14, "carry", "no parameter's name"),
        (GOOD + "values = { x = 'a b' }\n", 14, "values.x", "is not a path"),
        (GOOD + "artifacts = ['{out}/{a b}.json']\n", 14, "artifacts", "'a b' is not a path"),
        (GOOD + "artifacts = ['{out}/a}.json']\n", 14, "artifacts", "without its other half"),
        (GOOD + "rewrites = { file = 'out', old = 'a' }\n", 14, "rewrites", "new is missing"),
        (GOOD + "rewrites = { files = 'out' }\n", 14, "rewrites.files", "unknown"),
        (GOOD + "[host_tasks]\ntable = 'tasks'\nkey = 'id'\n", 14, "host_tasks", "database is missing"),
        (GOOD + "[host_tasks]\ntable = 'tasks; --'\n", 15, "host_tasks.table", "no name of a table"),
        (GOOD + "[host_tasks]\ndatabase = ['x']\ntable = 't'\nkey = 'i'\n", 15, "host_tasks.database", "module:func"),
        (
            GOOD + "[host_tasks]\ndatabase = ['a:b']\ntable = 't'\nkey = 'i'\nended = { done = 'well' }\n",
            18,
            "host_tasks.ended.done",
            "is not one of",
        ),
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


def test_a_word_in_a_comment_or_a_string_is_not_taken_for_the_key() -> None:
    text = GOOD.replace('name = "intent"', 'name = "kind = 1"  # produces = 2\n# failed = { }').replace(
        "failed", "faild"
    )
    with pytest.raises(ConfigurationError, match=r"^map\.toml:10: key 'faild'"):
        parse_map(text, "map.toml")


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be read: No such file"):
        load_map(tmp_path / "gone.toml")
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(ConfigurationError, match=r"it is not UTF-8 text"):
        load_map(tmp_path / "latin.toml")


VALUES = ['"x"', "3", "true", "[]", "{}", '["a", "a"]', '{ "a.b" = 1 }', "[{ a = [1] }]", '"""\n\n"""', "1979-05-27"]
KEYS = ["target", "kind", "produces", "joins", "failed", "attributes", "artifacts", "capture", "control_flow", "task"]


@settings(deadline=None)  # a machine that is busy is no defect
@given(st.lists(st.tuples(st.sampled_from([*KEYS, "x.y", "'q\\'"]), st.sampled_from(VALUES)), max_size=4))
def test_no_value_of_a_key_raises_anything_but_a_configuration_error(pairs: list[tuple[str, str]]) -> None:
    table = "".join(f"{key} = {value}\n" for key, value in pairs)
    for text in (GOOD + "[[point]]\n" + table, table + GOOD, GOOD + "[point.failed]\n" + table):
        try:
            parse_map(text, "map.toml")
        except ConfigurationError as error:
            assert "\n" not in str(error)  # noqa: PT017 - valid maps are many as well


@settings(deadline=None)  # a machine that is busy is no defect
@given(st.one_of(st.text(max_size=200), st.text("[]point=\"'.{}#\n atrgek", max_size=100).map(lambda t: GOOD + t)))
def test_no_text_raises_anything_but_a_configuration_error(text: str) -> None:
    with suppress(ConfigurationError):
        parse_map(text, "map.toml")


def test_the_shipped_maps_are_valid() -> None:
    package = Path(agentos_otel.__file__).parent
    maps = [*(package / "instrumentation" / "maps").glob("*.toml"), package / "demo" / "map.toml"]
    assert all(load_map(path).points for path in maps)


@pytest.mark.parametrize("text", ["", "tool = 1", "tool = []", "[[tool]]", "[tool]\nagentos_otel = 1"])
def test_a_pyproject_without_our_table_is_refused_whatever_stands_in_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"tool\.agentos_otel must be a table"):
        load_map(tmp_path / "pyproject.toml")
