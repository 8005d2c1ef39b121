"""A foreign span between two of ours is the child of the one and the parent of the other, also over an await."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike


def test_between(adapter: Adapter, spans: Any) -> None:
    tracer = adapter.foreign_tracer()

    async def scenario(decorate: Decorate) -> int:
        @decorate
        async def inner(number: int) -> int:
            await asyncio.sleep(0)
            return number

        @decorate
        async def outer(number: int) -> int:
            with tracer.start_as_current_span("foreign"):
                await asyncio.sleep(0)
                return await inner(number)

        return await outer(3)

    assert alike(scenario, adapter.traced) == 3
    seen = [(span.name, span.parent) for span in spans()]
    assert seen[-3:] == [("outer", None), ("foreign", "outer"), ("inner", "foreign")]


def test_a_foreign_root_is_not_lost(adapter: Adapter, spans: Any) -> None:
    tracer = adapter.foreign_tracer()

    def scenario(decorate: Decorate) -> int:
        @decorate
        def work(number: int) -> int:
            return number

        with tracer.start_as_current_span("foreign"):
            return work(3)

    assert alike(scenario, adapter.traced) == 3
    assert "work" in [span.name for span in spans()]
