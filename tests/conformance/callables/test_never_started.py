"""A generator or coroutine that is never started runs nothing, has no span, and warns by its own name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_what_is_never_awaited_warns_by_its_own_name_and_has_no_span(traced: Decorate, shape: Any) -> None:
    import warnings

    def scenario(decorate: Decorate) -> str:
        @decorate
        async def work() -> None: ...

        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            _ = work()
            del _
        return str(seen[0].message)

    assert "work' was never awaited" in alike(scenario, traced)
    assert shape() == []


def test_what_is_never_iterated_runs_nothing(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[str]:
        ran = []

        @decorate
        def numbers() -> Iterator[int]:
            ran.append("body")
            yield 1

        numbers()
        generator: Any = numbers()
        generator.close()
        return ran

    assert alike(scenario, traced) == []


def test_what_is_never_iterated_later_runs_nothing(traced: Decorate) -> None:
    async def scenario(decorate: Decorate) -> list[str]:
        ran = []

        @decorate
        async def numbers() -> AsyncIterator[int]:
            ran.append("body")
            yield 1

        await numbers().aclose()  # type: ignore[attr-defined]
        return ran

    assert alike(scenario, traced) == []
