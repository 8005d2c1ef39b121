"""A callable object is copied and pickled with its state."""

from __future__ import annotations

import copy
import functools
import pickle
from typing import Any

from tests.conformance import samples
from tests.conformance.compare import Decorate, alike


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


def test_a_callable_object_is_pickled(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> int:
        adder: Any = pickle.loads(pickle.dumps(decorate(functools.partial(samples.add, 2))))
        return int(adder(3))

    assert alike(scenario, traced) == 5
