"""A callable object, sync and async, and a builtin function are called."""

from __future__ import annotations

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
    def scenario(decorate: Decorate) -> list[int]:
        counter = decorate(Counter())
        return [counter(), counter(2)]

    assert alike(scenario, traced) == [1, 3]


def test_an_object_whose_call_is_a_coroutine_function(traced: Decorate) -> None:
    async def scenario(decorate: Decorate) -> int:
        return await decorate(Asynchronous())(3)

    assert alike(scenario, traced) == 3


def test_a_builtin_function(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> int:
        return decorate(len)([1, 2])

    assert alike(scenario, traced) == 2
    assert shape() == [("len", None, "ok")]
