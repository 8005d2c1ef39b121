"""Each of the four kinds of function, and what it returns, is of the same kind for `inspect`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.conformance.compare import Decorate, alike, kinds


def test_the_function_and_what_it_returns_are_of_the_same_kind(traced: Decorate) -> None:
    async def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        def plain() -> int:
            return 1

        @decorate
        async def coroutine() -> int:
            return 1

        @decorate
        def generator() -> Iterator[int]:
            yield 1

        @decorate
        async def async_generator() -> AsyncIterator[int]:
            yield 1

        functions: list[Any] = [plain, coroutine, generator, async_generator]
        made = [function() for function in functions]
        await made[1]
        return [kinds(thing) for thing in (*functions, *made)]

    alike(scenario, traced)


def test_generators_and_coroutines_bear_the_names_of_their_functions(traced: Decorate) -> None:
    async def scenario(decorate: Decorate) -> list[str]:
        @decorate
        async def coroutine() -> int:
            return 1

        @decorate
        def generator() -> Iterator[int]:
            yield 1

        @decorate
        async def async_generator() -> AsyncIterator[int]:
            yield 1

        made: list[Any] = [coroutine(), generator(), async_generator()]
        await made[0]
        return [name for thing in made for name in (thing.__name__, thing.__qualname__)]

    assert alike(scenario, traced)[::2] == ["coroutine", "generator", "async_generator"]
