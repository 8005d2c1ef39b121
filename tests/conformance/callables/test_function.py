"""A function gives its value and has one span, a child of its caller's."""

from __future__ import annotations

from typing import Any

from tests.conformance.compare import Decorate, alike


def test_it_gives_its_value_and_spans_nest(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> int:
        @decorate
        def inner(number: int, *, twice: bool = False) -> int:
            return number * (2 if twice else 1)

        @decorate
        def outer(number: int) -> int:
            return inner(number) + inner(number, twice=True)

        return outer(2)

    assert alike(scenario, traced) == 6
    assert shape() == [("outer", None, "ok"), ("inner", "outer", "ok"), ("inner", "outer", "ok")]


def test_it_is_called_once_with_the_very_objects(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[bool]:
        given, named, seen = object(), object(), []

        @decorate
        def work(*args: object, **kwargs: object) -> object:
            seen.append((args[0] is given, kwargs["name"] is named))
            return given

        return [work(given, name=named) is given, *seen[0], len(seen) == 1]

    assert alike(scenario, traced) == [True] * 4
