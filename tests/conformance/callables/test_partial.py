"""A `functools.partial`, of a function and of a coroutine function, works."""

from __future__ import annotations

import functools
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_a_partial_of_a_function(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        def add(left: int, right: int = 0) -> int:
            return left + right

        adder = decorate(functools.partial(add, 2))
        return [adder(right=3), adder()]

    assert alike(scenario, traced) == [5, 2]


def test_a_partial_of_a_coroutine_function(traced: Decorate) -> None:
    async def scenario(decorate: Decorate) -> int:
        async def add(left: int, right: int) -> int:
            return left + right

        return await decorate(functools.partial(add, 2))(3)

    assert alike(scenario, traced) == 5


def test_a_partial_of_the_decorated_function(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> int:
        @decorate
        def add(left: int, right: int) -> int:
            return left + right

        return functools.partial(add, 2)(3)

    assert alike(scenario, traced) == 5
    assert shape() == [("add", None, "ok")]


def test_a_partialmethod_of_the_decorated_method(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> int:
        class Host:
            @decorate
            def add(self, left: int, right: int) -> int:
                return left + right

            add_two = functools.partialmethod(add, 2)

        return Host().add_two(3)

    assert alike(scenario, traced) == 5
