"""An overloaded function keeps its overloads."""

from __future__ import annotations

import typing
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_the_overloads_are_found(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        typing.clear_overloads()

        @typing.overload
        def work(given: int) -> int: ...
        @typing.overload
        def work(given: str) -> str: ...
        @decorate
        def work(given: Any) -> Any:
            return given

        return [work(1), work("a"), len(typing.get_overloads(work))]

    assert alike(scenario, traced) == [1, "a", 2]
