"""KeyboardInterrupt passes as the same object; the span ends and does not look like a success."""

from __future__ import annotations

from typing import Any

from tests.conformance.compare import Decorate, alike


def test_sync(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> list[bool]:
        raised = KeyboardInterrupt()

        @decorate
        def after() -> None: ...

        @decorate
        def work() -> None:
            raise raised

        seen = []
        try:
            work()
        except KeyboardInterrupt as error:
            seen.append(error is raised)
        after()
        return seen

    assert alike(scenario, traced) == [True]
    assert [(span.name, span.parent) for span in spans()] == [("work", None), ("after", None)]
    assert spans()[0].status != "ok"


def test_async(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> list[bool]:
        raised = KeyboardInterrupt()

        @decorate
        async def work() -> None:
            raise raised

        coroutine = work()
        try:
            coroutine.send(None)
        except KeyboardInterrupt as error:
            return [error is raised]
        return []

    assert alike(scenario, traced) == [True]
    assert [span.name for span in spans()] == ["work"]
    assert spans()[0].status != "ok"
