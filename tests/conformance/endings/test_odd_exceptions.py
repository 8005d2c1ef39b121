"""An exception group, and an exception that has no text and takes no attribute, pass as the same objects."""

from __future__ import annotations

from typing import Any

from tests.conformance.compare import Decorate, alike


def test_a_group_and_an_exception_without_text_that_takes_no_attribute(traced: Decorate, shape: Any) -> None:
    class SilentError(Exception):
        __slots__ = ()

        def __str__(self) -> str:
            raise RuntimeError("no text")

        __repr__ = __str__

        def __setattr__(self, name: str, value: object) -> None:
            raise RuntimeError("nothing is set here")

    def scenario(decorate: Decorate) -> list[Any]:
        group = ExceptionGroup("group", [ValueError("one"), KeyError("two")])
        silent = SilentError()

        @decorate
        def work(error: Exception) -> None:
            raise error

        seen: list[Any] = []
        for given in (group, silent):
            try:
                work(given)
            except Exception as error:  # noqa: BLE001 - both are meant
                seen.append(error is given)
        return seen

    assert alike(scenario, traced) == [True, True]
    assert [status for _, _, status in shape()] == ["error", "error"]
