"""Bytes, numpy arrays, pydantic models, dataclasses and other values come back as the same objects, unchanged."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import re
import types
import uuid
from typing import Any, NamedTuple

import numpy as np
import pydantic

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike


@dataclasses.dataclass(slots=True)
class Point:
    x: int
    hidden: str = dataclasses.field(default="h", repr=False)


class Model(pydantic.BaseModel):
    name: str
    token: pydantic.SecretStr = pydantic.SecretStr("s3cr3t")


class Pair(NamedTuple):
    left: int
    right: str


class Color(enum.Enum):
    RED = 1


def test_each_kind(adapter: Adapter, shape: Any) -> None:
    values: list[Any] = [
        None, True, 1, 1.5, float("nan"), 1j, "text", "\ud800", b"\xff", bytearray(b"a"), 1 << 100_000,
        memoryview(b"abc"), np.arange(6).reshape(2, 3), np.float64(1.5), np.array([object()]),
        Model(name="n"), Point(1), Pair(1, "b"), Color.RED, collections.OrderedDict(a=1), collections.deque([1]),
        collections.defaultdict(list), collections.Counter("aab"), {1, 2}, frozenset({1}), range(3), slice(1),
        dt.datetime.now(dt.UTC), decimal.Decimal("1.1"), pathlib.Path("a"), uuid.uuid4(),
        re.compile("a"), types.SimpleNamespace(a=1), len, int, types, ValueError("v"), object(), ..., NotImplemented,
        {(1, 2): {"a": [None]}}, [], {}, (), set(),
    ]  # fmt: skip

    def scenario(decorate: Decorate) -> list[bool]:
        @decorate
        def work(number: Any) -> Any:
            return number

        return [work(given) is given for given in values]

    before = repr(values[1:9])
    assert alike(scenario, adapter.capturing) == [True] * len(values)
    assert shape() == [("work", None, "ok")] * len(values)
    assert repr(values[1:9]) == before
