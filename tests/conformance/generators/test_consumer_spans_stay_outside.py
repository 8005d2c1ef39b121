"""Spans that the consumer makes between two values are not children of the generator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.conformance.compare import Decorate, alike

OUTSIDE = [("outer", None, "ok"), ("numbers", "outer", "ok"), ("leaf", "outer", "ok"), ("leaf", "outer", "ok")]


def test_sync(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[int]:
        @decorate
        def leaf(number: int) -> int:
            return number

        @decorate
        def numbers() -> Iterator[int]:
            yield 1
            yield 2

        @decorate
        def outer() -> list[int]:
            return [leaf(number) for number in numbers()]

        return outer()

    assert alike(scenario, traced) == [1, 2]
    assert shape() == OUTSIDE


def test_async(traced: Decorate, shape: Any) -> None:
    async def scenario(decorate: Decorate) -> list[int]:
        @decorate
        async def leaf(number: int) -> int:
            return number

        @decorate
        async def numbers() -> AsyncIterator[int]:
            yield 1
            yield 2

        @decorate
        async def outer() -> list[int]:
            return [await leaf(number) async for number in numbers()]

        return await outer()

    assert alike(scenario, traced) == [1, 2]
    assert shape() == OUTSIDE


def test_two_generators_that_are_read_in_turn(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[tuple[int, int]]:
        @decorate
        def leaf(number: int) -> int:
            return number

        @decorate
        def left() -> Iterator[int]:
            yield leaf(1)
            yield leaf(2)

        @decorate
        def right() -> Iterator[int]:
            yield leaf(3)
            yield leaf(4)

        return list(zip(left(), right(), strict=True))

    assert alike(scenario, traced) == [(1, 3), (2, 4)]
    assert sorted(str(parent) for name, parent, _ in shape() if name == "leaf") == ["left", "left", "right", "right"]
