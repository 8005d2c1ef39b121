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
