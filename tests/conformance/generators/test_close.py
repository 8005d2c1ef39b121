"""`close` and `aclose` run the `finally` blocks inside the span, give what they give bare, and end the span."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_sync(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        ran: list[str] = []

        @decorate
        def leaf() -> None: ...

        @decorate
        def work() -> Generator[int, None, str]:
            try:
                yield 1
            finally:
                leaf()
                ran.append("finally")
            return "never"

        generator = work()
        next(generator)
        generator.close()
        generator.close()
        return [*ran, next(generator, "over")]

    assert alike(scenario, traced) == ["finally", "over"]
    assert [(span.name, span.parent) for span in spans()] == [("work", None), ("leaf", "work")]
    assert all(span.status != "error" for span in spans())


def test_async(traced: Decorate, spans: Any) -> None:
    async def scenario(decorate: Decorate) -> list[Any]:
        ran: list[str] = []

        @decorate
        async def leaf() -> None: ...

        @decorate
        async def work() -> AsyncGenerator[int, None]:
            try:
                yield 1
            finally:
                await leaf()
                ran.append("finally")

        generator = work()
        await anext(generator)
        await generator.aclose()
        await generator.aclose()
        return [*ran, await anext(generator, "over")]

    assert alike(scenario, traced) == ["finally", "over"]
    assert [(span.name, span.parent) for span in spans()] == [("work", None), ("leaf", "work")]
    assert all(span.status != "error" for span in spans())


def test_a_generator_that_returns_at_its_close(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> Any:
        @decorate
        def work() -> Generator[int, None, str]:
            try:
                yield 1
            except GeneratorExit:
                return "returned"
            return "never"

        generator = work()
        next(generator)
        return generator.close()  # a value since Python 3.13

    alike(scenario, traced)


def test_a_generator_that_goes_on_at_its_close(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        def work() -> Generator[int, None, None]:
            try:
                yield 1
            except GeneratorExit:
                yield 2

        generator = work()
        next(generator)
        try:
            generator.close()
        except RuntimeError as error:
            return [str(error), list(generator)]
        return []

    assert alike(scenario, traced) == ["generator ignored GeneratorExit", []]


def test_an_exception_at_the_close(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        raised = ValueError("at the close")

        @decorate
        def work() -> Generator[int, None, None]:
            try:
                yield 1
            finally:
                raise raised

        generator = work()
        next(generator)
        try:
            generator.close()
        except ValueError as error:
            return [error is raised, type(error.__context__)]
        return []

    assert alike(scenario, traced) == [True, GeneratorExit]
    assert [(span.name, span.status) for span in spans()] == [("work", "error")]
