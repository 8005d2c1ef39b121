"""A cancelled call can be told from one that succeeded and from one that failed."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_the_status(traced: Decorate, shape: Any) -> None:
    async def scenario(decorate: Decorate) -> None:
        @decorate
        async def work() -> None:
            await asyncio.sleep(60)

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    alike(scenario, traced)
    assert shape() == [("work", None, "cancelled")]
