"""A function and a bound method pickle by name."""

from __future__ import annotations

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
