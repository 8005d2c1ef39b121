"""The decorator above `@property` keeps it a property, with setter and docstring."""

from __future__ import annotations

from typing import Any

from tests.conformance.compare import Decorate, alike


def test_the_decorator_above_property(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        class Host:
            value = 1

            @property
            def plain(self) -> int:
                """A number."""
                return self.value

            @plain.setter
            def plain(self, value: int) -> None:
                self.value = value

            number = decorate(plain)

        host = Host()
        host.number = 4
        return [host.number, isinstance(vars(Host)["number"], property), Host.number.__doc__]

    assert alike(scenario, traced) == [4, True, "A number."]
