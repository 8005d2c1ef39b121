"""The decorator below `@staticmethod` works, on the class, an instance and a subclass."""

from __future__ import annotations

from typing import Any

from tests.conformance.compare import Decorate, alike


def test_it_binds_as_the_bare_one_does(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        class Host:
            @staticmethod
            @decorate
            def make(number: int) -> tuple[str, int]:
                return "static", number

        class Child(Host): ...

        return [Host.make(1), Child.make(2), Host().make(3), type(vars(Host)["make"])]

    assert alike(scenario, traced) == [("static", 1), ("static", 2), ("static", 3), staticmethod]
    assert shape() == [("make", None, "ok")] * 3
