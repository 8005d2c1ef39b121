"""Recursion goes to half of the interpreter's limit; past it RecursionError comes as it does bare, and passes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from tests.conformance.compare import Decorate, alike

OWN_FRAMES = 30
"""What one call of the tracer may need at the deepest point, beyond the frames of the calls."""


def _in_a_thread(call: Callable[[], Any]) -> Any:
    """Return what `call` returns at the bottom of a stack of its own."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0] if found else None


def test_half_of_the_limit(traced: Decorate, spans: Any) -> None:
    depth = sys.getrecursionlimit() // 2 - OWN_FRAMES

    def scenario(decorate: Decorate) -> Any:
        @decorate
        def count(number: int) -> int:
            return 0 if number == 0 else 1 + count(number - 1)

        return _in_a_thread(lambda: count(depth))

    assert alike(scenario, traced) == depth
    assert len(spans()) == depth + 1
    assert [span.parent for span in spans()] == [None, *["count"] * depth]


def test_past_the_limit(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> Any:
        @decorate
        def for_ever(number: int) -> int:
            return for_ever(number + 1)

        @decorate
        def after() -> str:
            return "after"

        def call() -> list[str]:
            try:
                for_ever(0)
            except RecursionError:
                return ["RecursionError", after()]
            return []

        return _in_a_thread(call)

    assert alike(scenario, traced) == ["RecursionError", "after"]
    assert [(span.parent, span.status) for span in spans() if span.name == "after"] == [(None, "ok")]
    assert spans()[0].status == "error"
