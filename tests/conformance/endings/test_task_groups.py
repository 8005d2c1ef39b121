"""In `asyncio.TaskGroup` and anyio's, one failure cancels the rest; children hang under the group's caller."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio

from tests.conformance.compare import Decorate, alike


def test_task_groups(traced: Decorate, spans: Any) -> None:
    async def scenario(decorate: Decorate) -> list[Any]:
        raised = ValueError("one fails")

        @decorate
        async def slow() -> None:
            await asyncio.sleep(60)

        @decorate
        async def fail() -> None:
            await asyncio.sleep(0)
            raise raised

        @decorate
        async def standard() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(slow())
                group.create_task(fail())

        @decorate
        async def of_anyio() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(slow)
                group.start_soon(fail)

        seen: list[Any] = []
        for call in (standard, of_anyio):
            try:
                await call()
            except ExceptionGroup as group:
                seen.append([error is raised for error in group.exceptions])
        return seen

    assert alike(scenario, traced) == [[True], [True]]
    found = [(span.name, span.parent, span.status == "error") for span in spans()]
    for caller in ("standard", "of_anyio"):
        assert {item for item in found if caller in item} == {
            (caller, None, True), ("slow", caller, False), ("fail", caller, True),
        }  # fmt: skip
