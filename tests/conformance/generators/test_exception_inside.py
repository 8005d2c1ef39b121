"""An exception inside a generator comes out as the same object, its span is an error, the next span is outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_sync(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        raised = ValueError("inside")

        @decorate
        def after() -> None: ...

        @decorate
        def numbers() -> Iterator[int]:
            yield 1
            raise raised

        seen: list[Any] = []
        try:
            for number in numbers():
                seen.append(number)  # noqa: PERF402 - what came before the exception is meant to stay
        except ValueError as error:
            seen.append(error is raised)
        after()
        return seen

    assert alike(scenario, traced) == [1, True]
    assert shape() == [("numbers", None, "error"), ("after", None, "ok")]


def test_async(traced: Decorate, shape: Any) -> None:
    async def scenario(decorate: Decorate) -> list[Any]:
        raised = ValueError("inside")

        @decorate
        async def after() -> None: ...

        @decorate
        async def numbers() -> AsyncIterator[int]:
            yield 1
            raise raised

        seen: list[Any] = []
        try:
            async for number in numbers():
                seen.append(number)  # noqa: PERF401 - what came before the exception is meant to stay
        except ValueError as error:
            seen.append(error is raised)
        await after()
        return seen

    assert alike(scenario, traced) == [1, True]
    assert shape() == [("numbers", None, "error"), ("after", None, "ok")]


def test_a_stop_iteration_inside(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> str:
        @decorate
        def numbers() -> Iterator[int]:
            yield 1
            raise StopIteration  # noqa: PLR1708 - meant

        try:
            list(numbers())
        except RuntimeError as error:
            return str(error)
        return ""

    assert alike(scenario, traced) == "generator raised StopIteration"
