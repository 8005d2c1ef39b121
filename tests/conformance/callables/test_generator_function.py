"""A generator function yields its values; its span covers its body, and what the body calls is its child."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_it_yields_and_its_span_covers_its_body(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[int]:
        @decorate
        def leaf(number: int) -> int:
            return number

        @decorate
        def numbers(count: int) -> Iterator[int]:
            for number in range(count):
                yield leaf(number)

        @decorate
        def outer() -> list[int]:
            return list(numbers(2))

        return outer()

    assert alike(scenario, traced) == [0, 1]
    assert shape() == [
        ("outer", None, "ok"), ("numbers", "outer", "ok"), ("leaf", "numbers", "ok"), ("leaf", "numbers", "ok"),
    ]  # fmt: skip


def test_a_call_that_does_not_fit_raises_at_the_call(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> str:
        @decorate
        def numbers(count: int) -> Iterator[int]:
            yield count

        try:
            numbers()  # type: ignore[call-arg]
        except TypeError:
            return "at the call"
        return "later"

    assert alike(scenario, traced) == "at the call"


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
