"""The value that a generator returns arrives, by `StopIteration` and by `yield from`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_return_value(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        def work() -> Generator[int, None, str]:
            yield 1
            return "done"

        def delegating() -> Generator[int, None, str]:
            return (yield from work())

        values: list[Any] = []
        for generator in (work(), delegating()):
            try:
                while True:
                    values.append(next(generator))
            except StopIteration as stop:
                values.append(stop.value)
        return values

    assert alike(scenario, traced) == [1, "done", 1, "done"]
    assert shape() == [("work", None, "ok")] * 2
