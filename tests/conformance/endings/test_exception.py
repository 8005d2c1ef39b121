"""An exception passes as the same object, its traceback ends where it was raised, and the span is an error."""

from __future__ import annotations

import traceback
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_sync_and_async(traced: Decorate, shape: Any) -> None:
    async def scenario(decorate: Decorate) -> list[Any]:
        raised = ValueError("as it is")

        @decorate
        def work() -> None:
            raise raised

        @decorate
        async def work_later() -> None:
            raise raised

        seen: list[Any] = []
        for call in (work, work_later):
            raised.__traceback__ = None
            try:
                made = call()
                if made is not None:
                    await made
            except ValueError as error:
                end = traceback.extract_tb(error.__traceback__)[-1]
                seen.append((error is raised, end.name, end.line, error.args, error.__cause__, error.__context__))
        return seen

    assert alike(scenario, traced) == [
        (True, name, "raise raised", ("as it is",), None, None) for name in ("work", "work_later")
    ]
    assert shape() == [("work", None, "error"), ("work_later", None, "error")]


def test_an_exception_that_is_caught_inside_is_none(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> int:
        @decorate
        def inner() -> None:
            raise KeyError("inner")

        @decorate
        def outer() -> int:
            try:
                inner()
            except KeyError:
                return 1
            return 0

        return outer()

    assert alike(scenario, traced) == 1
    assert shape() == [("outer", None, "ok"), ("inner", "outer", "error")]
