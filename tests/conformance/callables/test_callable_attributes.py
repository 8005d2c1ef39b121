"""A callable object, a partial and a cache keep their attributes and methods, and bind where they would."""

from __future__ import annotations

import functools
from typing import Any

from tests.conformance.compare import Decorate, alike


class Counter:
    """Counts its calls."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, step: int = 1) -> int:
        self.count += step
        return self.count

    def reset(self) -> None:
        self.count = 0


class Asynchronous:
    async def __call__(self, number: int) -> int:
        return number


def test_an_object_with_a_call_method(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        counter = decorate(Counter())
        seen = [counter(), counter(2), counter.count]
        counter.reset()
        return [*seen, counter.count, isinstance(counter, Counter)]

    assert alike(scenario, traced) == [1, 3, 3, 0, True]


def test_a_cache_keeps_its_methods_and_can_be_a_method(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        class Host:
            @decorate
            @functools.lru_cache  # noqa: B019 - the host dies with the test
            def double(self, number: int) -> int:
                return 2 * number

        host = Host()
        seen = [host.double(2), host.double(2), Host.double.cache_info().hits]
        Host.double.cache_clear()
        return [*seen, Host.double.cache_info().hits]

    assert alike(scenario, traced) == [4, 4, 1, 0]


def test_the_parts_of_a_partial(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        def add(left: int, right: int = 0) -> int:
            return left + right

        adder = decorate(functools.partial(add, 2))
        return [adder.func is add, adder.args, adder.keywords]

    assert alike(scenario, traced) == [True, (2,), {}]
