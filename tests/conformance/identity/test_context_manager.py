"""`contextlib.contextmanager` above the decorator, on each kind of generator, enters, leaves, passes exceptions."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_context_managers_made_of_decorated_generators(traced: Decorate, shape: Any) -> None:
    async def scenario(decorate: Decorate) -> list[str]:
        seen: list[str] = []

        @contextlib.contextmanager
        @decorate
        def block() -> Iterator[int]:
            try:
                yield 1
            except ValueError as error:
                seen.append(f"sync {error}")
            finally:
                seen.append("left")

        @contextlib.asynccontextmanager
        @decorate
        async def async_block() -> AsyncIterator[int]:
            try:
                yield 1
            except ValueError as error:
                seen.append(f"async {error}")

        with block() as number:
            seen.append(str(number))
            raise ValueError("in the block")
        async with async_block():
            raise ValueError("in the block")
        return seen

    assert alike(scenario, traced) == ["1", "sync in the block", "left", "async in the block"]
    assert shape() == [("block", None, "ok"), ("async_block", None, "ok")]
