"""Nothing is ever logged about a context that could not be detached."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from tests.conformance.compare import Decorate, alike


class Suspended:
    def __await__(self) -> Generator[None, None, None]:
        yield None


def test_generators_and_coroutines_that_end_elsewhere(traced: Decorate, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(decorate: Decorate) -> int:
        @decorate
        def numbers() -> Iterator[int]:
            yield 1
            yield 2

        @decorate
        async def numbers_later() -> AsyncIterator[int]:
            yield 1
            await asyncio.sleep(0)
            yield 2

        @decorate
        async def work() -> None:
            await Suspended()

        generator: Any = numbers_later()
        await anext(generator)
        await asyncio.create_task(generator.aclose())
        abandoned: Any = numbers_later()
        await asyncio.create_task(anext(abandoned))
        del abandoned
        plain: Any = numbers()
        contextvars.copy_context().run(next, plain)
        plain.close()
        coroutine = work()
        contextvars.copy_context().run(coroutine.send, None)
        coroutine.close()
        gc.collect()
        await asyncio.sleep(0)
        return 1

    with caplog.at_level(logging.DEBUG):
        alike(scenario, traced)
    assert [record.getMessage() for record in caplog.records if "detach" in record.getMessage()] == []
