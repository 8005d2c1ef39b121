"""Cyclic and deeply nested arguments and results do no harm."""

from __future__ import annotations

from typing import Any

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike


def test_cycles_and_depth(adapter: Adapter, shape: Any) -> None:
    cycle: list[Any] = [1]
    cycle.append(cycle)
    mapping: dict[str, Any] = {}
    mapping["itself"] = mapping
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    class Node:
        def __init__(self) -> None:
            self.me = self

    def scenario(decorate: Decorate) -> list[bool]:
        @decorate
        def work(number: Any) -> Any:
            return number

        return [work(given) is given for given in (cycle, mapping, deep, Node, Node.__dict__)]

    assert alike(scenario, adapter.capturing) == [True] * 5
    assert shape() == [("work", None, "ok")] * 5
    while deep:
        deep = deep.pop()  # piece by piece: the interpreter's own clean-up recurses
