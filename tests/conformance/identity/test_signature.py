"""Signature, annotations and type hints are those of the function, evaluated and not."""

from __future__ import annotations

import functools
import inspect
import typing
from typing import Any

from tests.conformance.compare import Decorate, alike


def test_signature_annotations_and_hints(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        def work(first: int, /, second: str = "b", *rest: float, flag: bool = False, **others: bytes) -> list[int]:
            return [first]

        return [str(inspect.signature(work)), work.__annotations__, typing.get_type_hints(work),
                [parameter.kind for parameter in inspect.signature(work).parameters.values()]]  # fmt: skip

    assert alike(scenario, traced)[0].startswith("(first: 'int', /, second: 'str' = 'b'")


def test_annotations_that_are_evaluated(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> Any:
        @decorate
        def work(number: int) -> list[int]:
            return [number]

        return str(inspect.signature(work, eval_str=True)), inspect.get_annotations(work, eval_str=True)

    assert alike(scenario, traced)[0] == "(number: int) -> list[int]"


def test_the_signature_of_a_bound_method(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> str:
        class Host:
            @decorate
            def work(self, number: int) -> int:
                return number

        return str(inspect.signature(Host().work))

    assert alike(scenario, traced) == "(number: 'int') -> 'int'"


def test_a_decorator_above_that_shows_a_signature_of_its_own(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> str:
        @decorate
        def work(number: int, connection: object) -> int:
            return number

        @functools.wraps(work)
        def connected(number: int) -> int:
            return work(number, object())

        del connected.__wrapped__
        return str(inspect.signature(connected))

    assert alike(scenario, traced) == "(number: 'int') -> 'int'"
