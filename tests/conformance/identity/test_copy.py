"""`copy` and `deepcopy` of a function give the function itself; objects that hold it are copied."""

from __future__ import annotations

import copy
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_copies(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        def work(number: int) -> int:
            return number

        held = copy.deepcopy({"call": [work]})
        return [copy.copy(work) is work, copy.deepcopy(work) is work, held["call"][0] is work, held["call"][0](2)]

    assert alike(scenario, traced) == [True, True, True, 2]


def test_a_callable_object_is_copied_with_its_state(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        class Counter:
            count = 0

            def __call__(self) -> int:
                self.count += 1
                return self.count

        first = decorate(Counter())
        first()
        second = copy.copy(first)
        return [second(), first.count, copy.deepcopy(second)(), second.count]

    assert alike(scenario, traced) == [2, 1, 3, 2]
