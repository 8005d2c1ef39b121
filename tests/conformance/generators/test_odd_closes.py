"""A generator that returns, goes on or raises at its `close` does as it does bare."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tests.conformance.compare import Decorate, alike


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
