"""Iterators, infinite and lazy iterables are handed on unread; nothing of theirs is called."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike


class Query:
    """Runs when somebody looks at it, as a lazy database query does."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def __iter__(self) -> Iterator[int]:
        self.seen.append("iterated")
        yield from range(3)

    def __len__(self) -> int:
        self.seen.append("counted")
        return 3

    def __repr__(self) -> str:
        return f"<Query {list(self)}>"


def test_iterators(adapter: Adapter) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        def work(number: Any) -> Any:
            return number

        given = [iter([1, 2]), (n for n in (3, 4)), map(str, [5]), zip([6], [7], strict=True), enumerate("ab")]
        endless = [itertools.count(), itertools.cycle("a"), itertools.repeat(0)]
        return [list(work(each)) for each in given] + [next(work(each)) for each in endless]

    assert alike(scenario, adapter.capturing)[:2] == [[1, 2], [3, 4]]


def test_a_lazy_query_does_not_run(adapter: Adapter) -> None:
    def scenario(decorate: Decorate) -> list[str]:
        seen: list[str] = []

        @decorate
        def work(number: Any) -> Any:
            return number

        work(Query(seen))
        work([Query(seen)])
        return seen

    assert alike(scenario, adapter.capturing) == []


def test_async_iterators(adapter: Adapter) -> None:
    async def scenario(decorate: Decorate) -> list[int]:
        async def numbers() -> AsyncIterator[int]:
            yield 1

        @decorate
        async def work(number: Any) -> Any:
            return number

        return [number async for number in await work(numbers())]

    assert alike(scenario, adapter.capturing) == [1]
