"""Named queries and placeholders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_otel.tasks.queries import for_postgresql, load, package_queries, statements


def test_queries_are_loaded_by_name() -> None:
    text = "-- about them all\n\n-- name: one\nSELECT 1;\n\n-- name:two\n-- why\nSELECT ';'\n"
    assert load(text) == {"one": "SELECT 1", "two": "-- why\nSELECT ';'"}


@pytest.mark.parametrize("text", ["SELECT 1", "-- name: a b\nSELECT 1", "-- name: a\n-- nothing", "-- name:\nSELECT 1"])
def test_what_is_no_query_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"name|SQL"):
        load(text)


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'a'"):
        load("-- name: a\nSELECT 1\n-- name: a\nSELECT 2")


def test_every_packaged_query_has_numbers_for_its_names() -> None:
    for sql in package_queries().values():
        text, names = for_postgresql(sql)
        assert len(set(names)) == len(names)
        assert all(f"${number}" in text for number in range(1, len(names) + 1))


@pytest.mark.parametrize(
    ("sql", "expected", "names"),
    [
        ("a = :b AND c = :d OR e = :b", "a = $1 AND c = $2 OR e = $1", ("b", "d")),
        ("CAST(:a AS text), :a::text, x::int", "CAST($1 AS text), $1::text, x::int", ("a",)),
        ("':a' || 'it''s :b' || \":c\" || :d", "':a' || 'it''s :b' || \":c\" || $1", ("d",)),
        ("-- :a\n:b /* :c\n:d */ :e", "-- :a\n$1 /* :c\n:d */ $2", ("b", "e")),
        ("$$ :a $$ || $x$ :b $$ :c $x$ || :d", "$$ :a $$ || $x$ :b $$ :c $x$ || $1", ("d",)),
        ("'open :a", "'open :a", ()),
        ("12:30", "12:30", ()),
    ],
)
def test_placeholders_become_numbers(sql: str, expected: str, names: tuple[str, ...]) -> None:
    assert for_postgresql(sql) == (expected, names)


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
OPAQUE = st.one_of(
    st.text(max_size=8).map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.text(max_size=8).map(lambda text: '"' + text.replace('"', '""') + '"'),
    st.text(max_size=8).map(lambda text: "--" + text.replace("\n", " ") + "\n"),
    st.text(max_size=8).map(lambda text: "/*" + text.replace("*/", " ").strip("*") + " */"),
    NAMES.map(lambda name: "x::" + name),
    st.sampled_from(["SELECT", "a >= 1", "(", ")", ",", ";"]),
)


@given(st.lists(st.one_of(OPAQUE.map(lambda text: (text, False)), NAMES.map(lambda name: (name, True))), max_size=12))
def test_only_placeholders_change(parts: list[tuple[str, bool]]) -> None:
    order = list(dict.fromkeys(text for text, is_name in parts if is_name))
    sql = " ".join(f":{text}" if is_name else text for text, is_name in parts)
    expected = " ".join(f"${order.index(text) + 1}" if is_name else text for text, is_name in parts)
    assert for_postgresql(sql) == (expected, tuple(order))


@given(st.text(alphabet=":;'\"-/*$ab\n ", max_size=40))
def test_any_text_is_taken(sql: str) -> None:
    text, names = for_postgresql(sql)
    assert ("$" in text) or not names
    list(statements(sql, "sqlite"))


def test_statements_are_split_and_chosen() -> None:
    script = "-- first; of all\n-- only: postgresql\nCREATE SCHEMA s;\nSELECT ';';-- only: sqlite\nPRAGMA x;\n-- end\n"
    assert list(statements(script, "sqlite")) == ["SELECT ';'", "PRAGMA x"]
    assert list(statements(script, "postgresql")) == ["CREATE SCHEMA s", "SELECT ';'"]
