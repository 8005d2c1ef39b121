"""After a `break` out of a generator the next span is no child of it, and its own span ends."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_sync(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> int:
        @decorate
        def leaf(number: int) -> int:
            return number

        @decorate
        def numbers() -> Iterator[int]:
            yield 1
            yield 2

        @decorate
        def outer() -> int:
            for number in numbers():
                found = number
                break
            gc.collect()
            return leaf(found)

        return outer()

    assert alike(scenario, traced) == 1
    seen = {span.name: (span.parent, span.status) for span in spans()}
    assert (seen["outer"], seen["leaf"], seen["numbers"][0]) == ((None, "ok"), ("outer", "ok"), "outer")
    assert seen["numbers"][1] != "error"


def test_async(traced: Decorate, spans: Any) -> None:
    async def scenario(decorate: Decorate) -> int:
        @decorate
        async def leaf(number: int) -> int:
            return number

        @decorate
        async def numbers() -> AsyncIterator[int]:
            yield 1
            yield 2

        @decorate
        async def outer() -> int:
            async with contextlib.aclosing(numbers()) as values:  # type: ignore[type-var]
                async for number in values:
                    found = number
                    break
            return await leaf(found)

        return await outer()

    assert alike(scenario, traced) == 1
    seen = {span.name: (span.parent, span.status) for span in spans()}
    assert (seen["outer"], seen["leaf"], seen["numbers"][0]) == ((None, "ok"), ("outer", "ok"), "outer")
    assert seen["numbers"][1] != "error"
