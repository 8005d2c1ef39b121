"""The decorator above `@classmethod` works, on the class, an instance and a subclass."""

from __future__ import annotations

from typing import Any

from tests.conformance.compare import Decorate, alike


def test_it_binds_as_the_bare_one_does(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        class Host:
            @decorate
            @classmethod
            def make(cls: type, number: int) -> tuple[str, int]:
                return cls.__name__, number

        class Child(Host): ...

        return [Host.make(1), Child.make(2), Host().make(3), type(vars(Host)["make"])]

    assert alike(scenario, traced) == [("Host", 1), ("Child", 2), ("Host", 3), classmethod]
    assert shape() == [("make", None, "ok")] * 3
