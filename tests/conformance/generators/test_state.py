"""State, running flag and re-entry of a generator are what `inspect` shows of a bare one."""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_states(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        seen: list[Any] = []

        @decorate
        def work() -> Generator[int, None, None]:
            seen.append((inspect.getgeneratorstate(generator), generator.gi_running))
            try:
                next(generator)
            except ValueError as error:
                seen.append(str(error))
            yield 1

        generator: Any = work()
        states = [inspect.getgeneratorstate(generator)]
        next(generator)
        states.append(inspect.getgeneratorstate(generator))
        list(generator)
        return [*states, inspect.getgeneratorstate(generator), *seen]

    assert alike(scenario, traced) == [
        "GEN_CREATED", "GEN_SUSPENDED", "GEN_CLOSED", ("GEN_RUNNING", True), "generator already executing",
    ]  # fmt: skip
