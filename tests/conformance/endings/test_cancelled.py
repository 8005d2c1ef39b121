"""A cancelled call raises CancelledError, its span ends and is no error; a task cancelled at once runs nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_cancelled_while_it_waits(traced: Decorate, spans: Any) -> None:
    async def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        async def work() -> None:
            await asyncio.sleep(60)

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel("enough")
        try:
            await task
        except asyncio.CancelledError as error:
            return [task.cancelled(), error.args]
        return []

    assert alike(scenario, traced) == [True, ("enough",)]
    assert [span.name for span in spans()] == ["work"]
    assert spans()[0].status != "error"


def test_cancelled_before_it_runs(traced: Decorate, spans: Any) -> None:
    async def scenario(decorate: Decorate) -> list[str]:
        ran: list[str] = []

        @decorate
        async def work() -> None:
            ran.append("body")

        task = asyncio.create_task(work())
        task.cancel()
        await asyncio.wait([task])
        return [*ran, str(task.cancelled())]

    assert alike(scenario, traced) == ["True"]
    assert spans() == []


def test_the_body_may_refuse(traced: Decorate, shape: Any) -> None:
    async def scenario(decorate: Decorate) -> str:
        @decorate
        async def work() -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return "refused"
            return "slept"

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert alike(scenario, traced) == "refused"
    assert shape() == [("work", None, "ok")]
