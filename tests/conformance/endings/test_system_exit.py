"""SystemExit passes as the same object; an exit with a code is an error, one without is none."""

from __future__ import annotations

import sys
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_exits(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        def leave(code: int | str | None) -> None:
            sys.exit(code)

        seen: list[Any] = []
        for code in (0, None, 1, "a message"):
            try:
                leave(code)
            except SystemExit as error:
                seen.append(error.code)
        return seen

    assert alike(scenario, traced) == [0, None, 1, "a message"]
    assert [status for _, _, status in shape()] == ["ok", "ok", "error", "error"]
