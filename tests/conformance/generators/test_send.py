"""`send` and `asend` hand the value in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_sync(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        def echo() -> Generator[Any, Any, None]:
            given = yield "ready"
            while True:
                given = yield given

        generator = echo()
        seen = [next(generator), generator.send(1), next(generator), generator.send("b")]
        generator.close()
        return seen

    assert alike(scenario, traced) == ["ready", 1, None, "b"]


def test_async(traced: Decorate) -> None:
    async def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        async def echo() -> AsyncGenerator[Any, Any]:
            given = yield "ready"
            while True:
                given = yield given

        generator = echo()
        seen = [await anext(generator), await generator.asend(1), await anext(generator)]
        await generator.aclose()
        return seen

    assert alike(scenario, traced) == ["ready", 1, None]


def test_a_value_before_the_start_is_refused(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> None:
        @decorate
        def echo() -> Generator[int, int, None]:
            yield 1

        echo().send(3)

    assert isinstance(alike(lambda decorate: _message(scenario, decorate), traced), str)


def _message(scenario: Any, decorate: Decorate) -> str:
    try:
        scenario(decorate)
    except TypeError as error:
        return str(error)
    raise AssertionError
