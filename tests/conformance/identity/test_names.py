"""Name, qualified name, module, docstring and own attributes are kept; `__wrapped__` is the function itself."""

from __future__ import annotations

import inspect
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_names_and_attributes(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        def work() -> None:
            """Does it."""

        work.route = "/work"  # type: ignore[attr-defined]
        done = decorate(work)
        same = inspect.unwrap(done) is work
        return [done.__name__, done.__qualname__, done.__module__, done.__doc__, done.route, same]  # type: ignore[attr-defined]

    assert alike(scenario, traced)[-1] is True


def test_the_source_is_found(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> str:
        @decorate
        def work() -> int:
            return 41 + 1

        return inspect.getsource(work)

    assert "return 41 + 1" in alike(scenario, traced)
