"""A generator that is read and closed from another task or thread, or in another context, ends its span."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_an_async_generator_that_another_task_closes(traced: Decorate, spans: Any) -> None:
    async def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        async def leaf(number: int) -> int:
            return number

        @decorate
        async def numbers() -> AsyncIterator[int]:
            for number in range(9):
                yield await leaf(number)

        generator: Any = numbers()
        seen = [await anext(generator), await asyncio.create_task(anext(generator))]
        await asyncio.create_task(generator.aclose())
        return [*seen, await leaf(7)]

    assert alike(scenario, traced) == [0, 1, 7]
    assert [(span.name, span.parent) for span in spans()] == [
        ("numbers", None), ("leaf", "numbers"), ("leaf", "numbers"), ("leaf", None),
    ]  # fmt: skip


def test_a_generator_that_another_thread_and_another_context_read(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> list[int]:
        @decorate
        def leaf(number: int) -> int:
            return number

        @decorate
        def numbers() -> Iterator[int]:
            for number in range(9):
                yield leaf(number)

        generator: Any = numbers()
        seen = [next(generator), contextvars.copy_context().run(next, generator)]
        threads = [
            threading.Thread(target=lambda: seen.append(next(generator))),
            threading.Thread(target=generator.close),
        ]
        for thread in threads:
            thread.start()
            thread.join()
        return [*seen, leaf(7)]

    assert alike(scenario, traced) == [0, 1, 2, 7]
    assert [(span.name, span.parent) for span in spans()] == [
        ("numbers", None), *[("leaf", "numbers")] * 3, ("leaf", None),
    ]  # fmt: skip
