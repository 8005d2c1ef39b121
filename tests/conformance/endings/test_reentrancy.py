"""A function that calls itself, and one that a signal handler or a finaliser calls meanwhile, work."""

from __future__ import annotations

import gc
import signal
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_mutual_recursion(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> bool:
        @decorate
        def even(number: int) -> bool:
            return True if number == 0 else odd(number - 1)

        @decorate
        def odd(number: int) -> bool:
            return False if number == 0 else even(number - 1)

        return even(4)

    assert alike(scenario, traced) is True
    assert [span.parent for span in spans()] == [None, "even", "odd", "even", "odd"]


def test_a_signal_handler_and_a_finaliser(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> list[str]:
        seen: list[str] = []

        @decorate
        def note(what: str) -> None:
            seen.append(what)

        class Cycle:
            def __init__(self) -> None:
                self.me = self

            def __del__(self) -> None:
                note("finaliser")

        @decorate
        def work() -> None:
            signal.raise_signal(signal.SIGUSR1)
            Cycle()
            gc.collect()

        before = signal.signal(signal.SIGUSR1, lambda *_: note("signal"))
        try:
            work()
        finally:
            signal.signal(signal.SIGUSR1, before)
        return seen

    assert alike(scenario, traced) == ["signal", "finaliser"]
    assert [(span.name, span.parent) for span in spans()] == [("work", None), ("note", "work"), ("note", "work")]
