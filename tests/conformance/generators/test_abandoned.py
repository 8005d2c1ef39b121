"""A generator or coroutine that is abandoned half-way runs its `finally` when collected; its span ends."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_sync(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> list[str]:
        ran: list[str] = []

        @decorate
        def numbers() -> Iterator[int]:
            try:
                yield 1
            finally:
                ran.append("finally")

        generator = numbers()
        next(generator)
        del generator
        gc.collect()
        return ran

    assert alike(scenario, traced) == ["finally"]
    assert [span.name for span in spans()] == ["numbers"]
    assert spans()[0].status != "error"


def test_async(traced: Decorate, spans: Any) -> None:
    async def scenario(decorate: Decorate) -> list[str]:
        ran: list[str] = []

        @decorate
        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                ran.append("finally")

        generator = numbers()
        await anext(generator)
        del generator
        gc.collect()
        for _ in range(3):
            await asyncio.sleep(0)
        return ran

    assert alike(scenario, traced) == ["finally"]
    assert [span.name for span in spans()] == ["numbers"]
    assert spans()[0].status != "error"


def test_a_coroutine_that_another_context_closes(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> list[str]:
        ran: list[str] = []

        class Suspended:
            def __await__(self) -> Generator[None, None, None]:
                yield None

        @decorate
        async def work() -> None:
            try:
                await Suspended()
            finally:
                ran.append("finally")

        coroutine: Coroutine[Any, Any, None] = work()
        contextvars.copy_context().run(coroutine.send, None)
        coroutine.close()
        return ran

    assert alike(scenario, traced) == ["finally"]
    assert [span.name for span in spans()] == ["work"]
