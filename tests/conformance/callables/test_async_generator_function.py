"""An async generator function yields its values; its span covers its body, and what the body calls is its child."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_it_yields_and_its_span_covers_its_body(traced: Decorate, shape: Any) -> None:
    async def scenario(decorate: Decorate) -> list[int]:
        @decorate
        async def leaf(number: int) -> int:
            await asyncio.sleep(0)
            return number

        @decorate
        async def numbers(count: int) -> AsyncIterator[int]:
            for number in range(count):
                yield await leaf(number)

        @decorate
        async def outer() -> list[int]:
            return [number async for number in numbers(2)]

        return await outer()

    assert alike(scenario, traced) == [0, 1]
    assert shape() == [
        ("outer", None, "ok"), ("numbers", "outer", "ok"), ("leaf", "numbers", "ok"), ("leaf", "numbers", "ok"),
    ]  # fmt: skip
