"""Methods of dataclasses, enums and named tuples work and leave the fields alone."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, NamedTuple

from tests.conformance.compare import Decorate, alike


def test_methods_of_classes_that_are_made_from_their_bodies(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        @dataclasses.dataclass(frozen=True, slots=True)
        class Point:
            x: int

            @decorate
            def double(self) -> int:
                return 2 * self.x

            @decorate
            def __post_init__(self) -> None: ...

        class Color(enum.Enum):
            RED = 1

            @decorate
            def lower(self) -> str:
                return self.name.lower()

        class Pair(NamedTuple):
            left: int

            @decorate
            def twice(self) -> int:
                return 2 * self.left

        fields = [field.name for field in dataclasses.fields(Point)]
        return [Point(3).double(), fields, list(Color), Color.RED.lower(), Pair(4).twice(), Pair._fields]

    value = alike(lambda decorate: [str(item) for item in scenario(decorate)], traced)
    assert value == ["6", "['x']", "[<Color.RED: 1>]", "red", "8", "('left',)"]
    assert [name for name, _, _ in shape()] == ["__post_init__", "double", "lower", "twice"]
