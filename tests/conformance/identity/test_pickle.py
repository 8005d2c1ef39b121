"""A function and a bound method pickle by name, a callable object with its state."""

from __future__ import annotations

import functools
import pickle
from typing import Any

from tests.conformance import samples
from tests.conformance.compare import Decorate, alike


def test_a_function_and_a_bound_method(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        samples.decorate_all(decorate)
        same = pickle.loads(pickle.dumps(samples.double)) is samples.double
        return [same, pickle.loads(pickle.dumps(samples.Host(2).add))(3)]

    assert alike(scenario, traced) == [True, 5]


def test_a_callable_object(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> int:
        adder: Any = pickle.loads(pickle.dumps(decorate(functools.partial(samples.add, 2))))
        return int(adder(3))

    assert alike(scenario, traced) == 5
