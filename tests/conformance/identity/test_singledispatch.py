"""`functools.singledispatch` above and below the decorator dispatches, and its implementations can be decorated."""

from __future__ import annotations

import functools
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_dispatch(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        @functools.singledispatch
        @decorate
        def above(given: object) -> str:
            return "object"

        @above.register
        @decorate
        def number(given: int) -> str:
            return "int"

        @decorate
        @functools.singledispatch
        def below(given: object) -> str:
            return "object"

        @below.register
        def text(given: str) -> str:
            return "str"

        class Host:
            @functools.singledispatchmethod
            @decorate
            def show(self, given: object) -> str:
                return "object"

            @show.register
            @decorate
            def show_number(self, given: int) -> str:
                return "int"

        return [above(None), above(1), below(None), below("a"), Host().show(None), Host().show(1)]

    assert alike(scenario, traced) == ["object", "int", "object", "str", "object", "int"]
