"""`close` and `aclose` run the `finally` blocks inside the span, and end it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_sync(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        ran: list[str] = []

        @decorate
        def leaf() -> None: ...

        @decorate
        def work() -> Generator[int, None, str]:
            try:
                yield 1
            finally:
                leaf()
                ran.append("finally")
            return "never"

        generator = work()
        next(generator)
        generator.close()
        generator.close()
        return [*ran, next(generator, "over")]

    assert alike(scenario, traced) == ["finally", "over"]
    assert [(span.name, span.parent) for span in spans()] == [("work", None), ("leaf", "work")]
    assert all(span.status != "error" for span in spans())


def test_async(traced: Decorate, spans: Any) -> None:
    async def scenario(decorate: Decorate) -> list[Any]:
        ran: list[str] = []

        @decorate
        async def leaf() -> None: ...

        @decorate
        async def work() -> AsyncGenerator[int, None]:
            try:
                yield 1
            finally:
                await leaf()
                ran.append("finally")

        generator = work()
        await anext(generator)
        await generator.aclose()
        await generator.aclose()
        return [*ran, await anext(generator, "over")]

    assert alike(scenario, traced) == ["finally", "over"]
    assert [(span.name, span.parent) for span in spans()] == [("work", None), ("leaf", "work")]
    assert all(span.status != "error" for span in spans())
