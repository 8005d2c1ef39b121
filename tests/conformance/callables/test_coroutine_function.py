"""A coroutine function gives its value; its span lasts until it is done, concurrent ones nest rightly."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_concurrent_calls_each_hold_their_own_children(traced: Decorate, shape: Any) -> None:
    async def scenario(decorate: Decorate) -> list[int]:
        @decorate
        async def leaf(number: int) -> int:
            await asyncio.sleep(0)
            return number

        @decorate
        async def left(number: int) -> int:
            await asyncio.sleep(0)
            return await leaf(number) + await leaf(number)

        @decorate
        async def right(number: int) -> int:
            return await leaf(number)

        @decorate
        async def outer() -> list[int]:
            return list(await asyncio.gather(left(1), right(2)))

        return await outer()

    assert alike(scenario, traced) == [2, 2]
    assert sorted(shape()[1:]) == [
        ("leaf", "left", "ok"), ("leaf", "left", "ok"), ("leaf", "right", "ok"),
        ("left", "outer", "ok"), ("right", "outer", "ok"),
    ]  # fmt: skip
    assert shape()[0] == ("outer", None, "ok")


def test_no_step_of_the_event_loop_is_added(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> int:
        @decorate
        async def work() -> int:
            return 3

        coroutine = work()
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return int(stop.value)
        return 0

    assert alike(scenario, traced) == 3
