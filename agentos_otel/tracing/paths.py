"""Short paths: `request.id` or `result.execution_intent.id` in a call's arguments and result."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from agentos_otel.context.ids import usable_id

MISSING: Final = object()
MAX_VALUES: Final = 64
"""Ids taken from one list; a host that returns a million of them means something else."""


def step(value: Any, word: str) -> Any:
    """Return `value[word]`, `value.word` or `value[int(word)]`, or MISSING; a host's raising property is missing."""
    try:
        if isinstance(value, Mapping):
            return value.get(word, MISSING)
        if word.isdigit() and isinstance(value, (list, tuple)):
            return value[int(word)] if int(word) < len(value) else MISSING
        return getattr(value, word, MISSING)
    except Exception:  # noqa: BLE001 - whatever a host's __getattr__ does
        return MISSING


def resolve(path: str, values: Mapping[str, Any]) -> Any:
    """Return what `path` leads to from `values` (parameters by name, and `result`), or MISSING."""
    first, *rest = path.split(".")
    value = values.get(first, MISSING)
    for word in rest:
        if value is MISSING or value is None:
            return MISSING
        value = step(value, word)
    return value


def ids_at(path: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the usable ids at `path`: one, or each of a list of them."""
    found = resolve(path, values)
    if isinstance(found, (list, tuple)):
        for item in found[:MAX_VALUES]:
            if (identifier := usable_id(item)) is not None:
                yield identifier
    elif (identifier := usable_id(found)) is not None:
        yield identifier


def files_at(path: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the file names at `path`."""
    found = resolve(path, values)
    for item in found[:MAX_VALUES] if isinstance(found, (list, tuple)) else (found,):
        if isinstance(item, (str, os.PathLike)) and str(item):
            yield str(item)


def binder(fn: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], dict[str, Any]]:
    """Return a function that names the arguments of a call to `fn`; a call that does not fit gives what it can."""
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):
        return lambda args, kwargs: dict(kwargs)

    def bind(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            bound = signature.bind_partial(*args, **kwargs)
        except TypeError:
            return dict(kwargs)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                arguments.update(arguments.pop(parameter.name, {}))
        return arguments

    return bind
