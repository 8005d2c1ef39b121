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
