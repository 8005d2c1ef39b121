"""`yield from` hands `send`, `throw` and `close` through to a decorated generator, and from one."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_delegation(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        ran: list[str] = []

        @decorate
        def inner() -> Generator[Any, Any, str]:
            try:
                given = yield "ready"
                try:
                    yield given
                except ValueError as error:
                    yield str(error)
                return "inner done"
            finally:
                ran.append("inner left")

        @decorate
        def outer() -> Generator[Any, Any, str]:
            return (yield from inner()) + ", outer done"

        generator = outer()
        seen = [next(generator), generator.send(3), generator.throw(ValueError("thrown"))]
        try:
            next(generator)
        except StopIteration as stop:
            seen.append(stop.value)
        closed = outer()
        next(closed)
        closed.close()
        return [*seen, *ran]

    assert alike(scenario, traced) == ["ready", 3, "thrown", "inner done, outer done", "inner left", "inner left"]
    assert [(span.name, span.parent) for span in spans()] == [("outer", None), ("inner", "outer")] * 2


def test_a_recursive_generator(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> list[int]:
        @decorate
        def walk(depth: int) -> Generator[int, None, None]:
            yield depth
            if depth:
                yield from walk(depth - 1)

        return list(walk(3))

    assert alike(scenario, traced) == [3, 2, 1, 0]
    assert [span.parent for span in spans()] == [None, "walk", "walk", "walk"]
