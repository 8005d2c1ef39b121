"""A function is called exactly once, however it ends, and its effects come in the same order."""

from __future__ import annotations

from typing import Any

from tests.conformance.compare import Decorate, alike


def test_the_order_of_events(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[str]:
        events: list[str] = []

        class Argument:
            def __init__(self, name: str) -> None:
                events.append(f"made {name}")

            def __del__(self) -> None:
                events.append("dropped")

        @decorate
        def work(argument: Any, fail: BaseException | None) -> None:
            events.append("called")
            if fail is not None:
                raise fail

        for fail in (None, ValueError(), KeyboardInterrupt(), TypeError("missing 1 required positional argument")):
            try:
                work(Argument("a"), fail)
            except BaseException as error:  # noqa: BLE001 - every kind is meant
                events.append(type(error).__name__)
                error.__traceback__ = None
        return [event for event in events if event != "dropped"]

    assert alike(scenario, traced) == [
        "made a", "called", "made a", "called", "ValueError", "made a", "called", "KeyboardInterrupt",
        "made a", "called", "TypeError",
    ]  # fmt: skip


def test_arguments_and_results_are_dropped_when_the_call_is_over(traced: Decorate) -> None:
    import gc
    import weakref

    def scenario(decorate: Decorate) -> list[bool]:
        class Big: ...

        @decorate
        def work(argument: Big) -> Big:
            return Big()

        argument = Big()
        result = work(argument)
        held = [weakref.ref(argument), weakref.ref(result)]
        del argument, result
        gc.collect()
        return [reference() is None for reference in held]

    assert alike(scenario, traced) == [True, True]
