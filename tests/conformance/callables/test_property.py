"""A property's getter and setter, decorated below `@property`, work; a cached property is computed once."""

from __future__ import annotations

import functools
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_the_decorator_below_property(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        class Host:
            value = 1

            @property
            @decorate
            def number(self) -> int:
                """A number."""
                return self.value

            @number.setter
            @decorate
            def number(self, value: int) -> None:
                self.value = value

        host = Host()
        host.number = 4
        return [host.number, Host.number.__doc__]

    assert alike(scenario, traced) == [4, "A number."]
    assert shape() == [("number", None, "ok")] * 2


def test_a_cached_property_is_computed_once(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[int]:
        class Host:
            @functools.cached_property
            @decorate
            def number(self) -> int:
                return 3

        host = Host()
        return [host.number, host.number]

    assert alike(scenario, traced) == [3, 3]
    assert shape() == [("number", None, "ok")]
