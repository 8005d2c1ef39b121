"""A plain function that returns a coroutine hands that very coroutine on."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_the_coroutine_is_handed_on_and_gives_its_value(traced: Decorate, shape: Any) -> None:
    async def scenario(decorate: Decorate) -> tuple[bool, int]:
        async def later(number: int) -> int:
            return number

        made = []

        @decorate
        def work(number: int) -> Coroutine[Any, Any, int]:
            made.append(later(number))
            return made[0]

        coroutine = work(4)
        return coroutine is made[0], await coroutine

    assert alike(scenario, traced) == (True, 4)
    assert shape() == [("work", None, "ok")]
