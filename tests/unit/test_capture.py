"""Values as text: readable, cut while they are made, and nothing of the host's is disturbed."""

from __future__ import annotations

import collections
import dataclasses
import enum
import types
from typing import Any, NamedTuple

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_otel.tracing.capture import text_of
from agentos_otel.tracing.limits import MARGIN


@dataclasses.dataclass
class Point:
    x: int
    hidden: str = dataclasses.field(default="h", repr=False)


@dataclasses.dataclass(slots=True, frozen=True)
class Slotted:
    x: int


@dataclasses.dataclass(repr=False)
class Quiet:
    x: int

    def __repr__(self) -> str:
        return "Quiet(...)"


class Model(pydantic.BaseModel):
    name: str
    key: pydantic.SecretStr = pydantic.SecretStr("s3cr3t")
    hidden: int = pydantic.Field(default=1, repr=False)


class Pair(NamedTuple):
    left: int
    token: str


class Color(enum.Enum):
    RED = 1


class Loud:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Sub(dict[str, int]):
    def items(self) -> Any:
        raise AssertionError("the host's own methods are not called")

    __iter__ = items


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"), (None, "None"), (1.5, "1.5"), (True, "True"), (12, "12"), (1 << 5000, "<int of 5001 bits>"),
        ([1, "a"], "[1, 'a']"), ([], "[]"), ((), "()"), ((1,), "(1,)"), ((1, 2), "(1, 2)"), ({}, "{}"),
        ({"a": 1, 2: [3]}, "{'a': 1, 2: [3]}"), ({1}, "{1}"), (frozenset(), "{}"),
        (collections.deque([1]), "deque([1])"), (collections.OrderedDict(a=1), "{'a': 1}"), (Sub(a=1), "{'a': 1}"),
        (b"abc", "<3 bytes>"), (memoryview(b"abc"), "<3 bytes>"), (Point(1), "Point(x=1)"),
        (Slotted(1), "Slotted(x=1)"),
        (Quiet(1), "Quiet(...)"),
        (Model(name="n"), "Model(name='n', key=SecretStr('**********'))"), (Pair(1, "t"), "Pair(left=1, token='****')"),
        (Color.RED, "<Color.RED: 1>"), (Loud(), "<Loud>"), ([Loud()], "[<Loud>]"), (object(), "<object>"),
        (ValueError("a", 1), "ValueError('a', 1)"), (iter([1]), "<list_iterator>"), (range(3), "range(0, 3)"),
        (types.MappingProxyType({}), "<mappingproxy>"), (np.zeros((2, 3)), "<ndarray (2, 3) float64>"),
        (np.float64(1.5), "np.float64(1.5)"),
        ({"api_key": "k", "n": {"password": 1}}, "{'api_key': '****', 'n': {'password': '****'}}"),
    ],
)  # fmt: skip
def test_each_kind_reads_like_its_repr(value: Any, text: str) -> None:
    assert text_of(value, 1000) == (text, False)


def test_what_is_left_out_is_said() -> None:
    assert text_of("x" * 5000, 1000) == ("x" * (1000 + MARGIN), True)
    text, was_cut = text_of({"items": list(range(100_000))}, 100)
    assert was_cut
    assert 100 <= len(text) <= 100 + MARGIN + 20
    cycle: list[Any] = []
    cycle.append(cycle)
    assert text_of(cycle, 1000) == ("[[[[[[[...]]]]]]]", True)


def test_a_secret_by_its_own_name_is_not_kept() -> None:
    assert text_of("anything", 1000, "password") == ("****", False)


class Growing(dict[Any, Any]):
    """Changes while it is read, as another thread may do."""


class Grower:
    def __init__(self, host: Growing) -> None:
        self.host = host

    def __repr__(self) -> str:
        self.host[len(self.host)] = 1
        return "grown"


def test_a_container_that_changes_meanwhile_gives_what_was_read() -> None:
    host = Growing()
    host["first"] = Grower(host)
    host["second"] = 2
    text, was_cut = text_of(host, 1000)
    assert was_cut
    assert text.startswith("{'first': grown")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=40,
)


@given(VALUES, st.integers(1, 300))
def test_any_value_becomes_a_text_of_bounded_length(value: Any, limit: int) -> None:
    text, was_cut = text_of(value, limit)
    assert len(text) <= 10 * (limit + MARGIN) + 200
    if not was_cut and not isinstance(value, str):
        assert "..." not in text or "..." in repr(value)
