"""`asyncio.timeout`, `wait_for` and anyio's `fail_after` and `move_on_after` cut a call off as they do bare."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio

from tests.conformance.compare import Decorate, alike


def test_timeouts(traced: Decorate, spans: Any) -> None:
    async def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        async def slow() -> None:
            await asyncio.sleep(60)

        @decorate
        async def inside() -> str:
            try:
                async with asyncio.timeout(0.001):
                    await slow()
            except TimeoutError:
                return "timed out"
            return "done"

        seen: list[Any] = [await inside()]
        try:
            await asyncio.wait_for(slow(), 0.001)
        except TimeoutError:
            seen.append("wait_for")
        try:
            with anyio.fail_after(0.001):
                await slow()
        except TimeoutError:
            seen.append("fail_after")
        with anyio.move_on_after(0.001) as scope:
            await slow()
        return [*seen, scope.cancelled_caught]

    assert alike(scenario, traced) == ["timed out", "wait_for", "fail_after", True]
    assert [(span.name, span.parent) for span in spans()] == [
        ("inside", None), ("slow", "inside"), ("slow", None), ("slow", None), ("slow", None),
    ]  # fmt: skip
    assert all(span.status != "error" for span in spans())
