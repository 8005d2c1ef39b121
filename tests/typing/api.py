"""Types as users see them; checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import assert_type

from agentos_otel import CurrentTask, agent, stage, task, tool


@tool
def bare(number: int, *, text: str = "") -> str:
    return text * number


@stage("named", produces={"intent_id": "result"})
def named(number: int) -> str:
    return str(number)


@agent("coder")
async def coroutine(number: int) -> int:
    return number


@task()
async def generator() -> AsyncIterator[int]:
    yield 1


assert_type(bare(1, text="x"), str)
assert_type(named(1), str)


async def main() -> None:
    assert_type(await coroutine(1), int)
    async for number in generator():
        assert_type(number, int)
    async with task("x") as handle:
        assert_type(handle, CurrentTask)


with stage("y") as here:
    assert_type(here, CurrentTask)
