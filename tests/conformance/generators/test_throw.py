"""`throw` and `athrow` raise the very exception inside, where it may be caught; what is yielded then comes back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from tests.conformance.compare import Decorate, alike


def test_sync(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        thrown, caught = ValueError("thrown"), []

        @decorate
        def work() -> Generator[str, None, None]:
            try:
                yield "first"
            except ValueError as error:
                caught.append(error is thrown)
                yield "caught"
            yield "last"

        generator = work()
        return [next(generator), generator.throw(thrown), *generator, *caught]

    assert alike(scenario, traced) == ["first", "caught", "last", True]
    assert shape() == [("work", None, "ok")]


def test_async(traced: Decorate, shape: Any) -> None:
    async def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        async def work() -> AsyncGenerator[str, None]:
            try:
                yield "first"
            except ValueError as error:
                yield f"caught {error}"

        generator = work()
        return [
            await anext(generator),
            await generator.athrow(ValueError("thrown")),
            [item async for item in generator],
        ]

    assert alike(scenario, traced) == ["first", "caught thrown", []]
    assert shape() == [("work", None, "ok")]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, StopIteration, GeneratorExit])
def test_what_is_not_caught_comes_out_as_it_does_bare(traced: Decorate, kind: type[BaseException]) -> None:
    def scenario(decorate: Decorate) -> tuple[Any, ...]:
        thrown = kind("thrown")

        @decorate
        def work() -> Generator[int, None, None]:
            yield 1

        generator = work()
        next(generator)
        try:
            generator.throw(thrown)
        except BaseException as error:  # noqa: BLE001 - every kind is meant
            return type(error), error is thrown, error.__cause__ is thrown, next(generator, "over")
        return ()

    assert alike(scenario, traced)[-1] == "over"


def test_before_the_start(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        ran: list[str] = []

        @decorate
        def work() -> Generator[int, None, None]:
            ran.append("body")
            yield 1

        generator, thrown = work(), ValueError("early")
        try:
            generator.throw(thrown)
        except ValueError as error:
            ran.append(str(error is thrown))
        return [*ran, next(generator, "over")]

    assert alike(scenario, traced) == ["True", "over"]
