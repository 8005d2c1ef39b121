"""A decorated method fulfils a protocol, and one declared in a protocol is inherited."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from tests.conformance.compare import Decorate, alike


def test_protocols(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        @runtime_checkable
        class Worker(Protocol):
            @decorate
            def work(self, number: int) -> int:
                return number

        class Structural:
            @decorate
            def work(self, number: int) -> int:
                return 2 * number

        class Explicit(Worker): ...

        return [
            isinstance(Structural(), Worker),
            Structural().work(1),
            isinstance(Explicit(), Worker),
            Explicit().work(1),
        ]

    assert alike(scenario, traced) == [True, 2, True, 1]
