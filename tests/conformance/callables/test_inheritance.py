"""An inherited method, one called by `super()`, and an abstract one work."""

from __future__ import annotations

import abc
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_super_calls_the_decorated_method_below(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        class Base:
            @decorate
            def work(self, number: int) -> list[str]:
                return [f"base {number}"]

            @classmethod
            @decorate
            def make(cls) -> str:
                return cls.__name__

        class Child(Base):
            @decorate
            def work(self, number: int) -> list[str]:
                return [*super().work(number + 1), "child"]

            @classmethod
            @decorate
            def make(cls) -> str:
                return f"child of {super().make()}"

        class Heir(Child): ...

        return [Heir().work(1), Heir.make()]

    assert alike(scenario, traced) == [["base 2", "child"], "child of Heir"]
    assert shape() == [("work", None, "ok"), ("work", "work", "ok"), ("make", None, "ok"), ("make", "make", "ok")]


def test_an_abstract_method_stays_abstract(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        class Base(abc.ABC):
            @decorate
            @abc.abstractmethod
            def work(self) -> int: ...

        class Child(Base):
            @decorate
            def work(self) -> int:
                return 1

        return [sorted(Base.__abstractmethods__), Child().work()]

    assert alike(scenario, traced) == [["work"], 1]
