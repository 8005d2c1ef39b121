"""Runs a scenario twice, with the undecorated and with the decorated function, and compares all that can be seen."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Decorate(Protocol):
    """A decorator that gives back what it got, as far as types can say."""

    def __call__(self, fn: F, /) -> F: ...


def bare(fn: F, /) -> F:
    """Return `fn`: the decorator that every other is compared with."""
    return fn


def alike(scenario: Callable[[Decorate], Any], traced: Decorate) -> Any:
    """Return what `scenario` returned, or the exception that it raised, after seeing that both runs did the same.

    Args:
        scenario: Decorates functions with what it is given, uses them, and returns all that a caller could see; may be
            a coroutine function.
        traced: The decorator under test.
    """
    undecorated, decorated = _outcome(scenario, bare), _outcome(scenario, traced)
    assert _visible(decorated) == _visible(undecorated)
    return decorated


def _outcome(scenario: Callable[[Decorate], Any], decorate: Decorate) -> Any:
    try:
        value = scenario(decorate)
        return asyncio.run(value) if inspect.iscoroutine(value) else value
    except BaseException as error:  # noqa: BLE001 - whatever a caller would get is what is compared
        return error


def _visible(outcome: Any) -> Any:
    if not isinstance(outcome, BaseException):
        return "returned", outcome
    last = traceback.extract_tb(outcome.__traceback__)[-1]
    return "raised", type(outcome), outcome.args, (last.name, last.lineno)


def kinds(fn: Any) -> dict[str, bool]:
    """Return what `inspect` and `asyncio` say that `fn` is."""
    asked = (
        inspect.isfunction,
        inspect.ismethod,
        inspect.isroutine,
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        inspect.iscoroutine,
        inspect.isawaitable,
        inspect.isgenerator,
        inspect.isasyncgen,
        inspect.isclass,
        inspect.isabstract,
        callable,
    )
    return {question.__name__: bool(question(fn)) for question in asked}
