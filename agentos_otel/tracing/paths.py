"""Short paths: `request.id` or `result.execution_intent.id` in a call's arguments and result."""

from __future__ import annotations

import glob
import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from agentos_otel.context.ids import usable_id

MISSING: Final = object()
_PLACE: Final = re.compile(r"\{([^{}]*)\}")
MAX_VALUES: Final = 64
"""Ids taken from one list; a host that returns a million of them means something else."""


class Lost:
    """How many paths led nowhere: where the host raised, and where it has nothing of that name (None is)."""

    __slots__ = ("missed", "raised")

    def __init__(self) -> None:
        self.missed = self.raised = 0


def step(value: Any, word: str, lost: Lost | None = None) -> Any:
    """Return `value[word]`, `value.word` or `value[int(word)]`, or MISSING; a host's raising property is missing."""
    try:
        if isinstance(value, Mapping):
            return value.get(word, MISSING)
        if word.isdigit() and isinstance(value, (list, tuple)):
            return value[int(word)] if int(word) < len(value) else MISSING
        return getattr(value, word, MISSING)
    except Exception:  # noqa: BLE001 - whatever a host's __getattr__ does
        if lost is not None:
            lost.raised += 1
            lost.missed -= 1  # `resolve` will count it as missed too
        return MISSING


def resolve(path: str, values: Mapping[str, Any], lost: Lost | None = None) -> Any:
    """Return what `path` leads to from `values` (parameters by name, and `result`), or MISSING.

    A word `*` stands for every item of a list; the rest of the path is followed in each.
    """
    first, *rest = path.split(".")
    value = values.get(first, MISSING)
    if value is MISSING and lost is not None:
        lost.missed += 1
    for place, word in enumerate(rest):
        if value is MISSING or value is None:
            return MISSING
        if word == "*":
            items = value[:MAX_VALUES] if isinstance(value, (list, tuple)) else ()
            below = ".".join(("item", *rest[place + 1 :]))
            found = [resolve(below, {"item": item}, lost) for item in items]
            return [item for item in found if item is not MISSING]
        value = step(value, word, lost)
        if value is MISSING and lost is not None:
            lost.missed += 1
    return value


def ids_at(path: str, values: Mapping[str, Any], lost: Lost | None = None) -> Iterator[str]:
    """Yield the usable ids at `path`: one, or each of a list of them."""
    found = resolve(path, values, lost)
    if isinstance(found, (list, tuple)):
        for item in found[:MAX_VALUES]:
            if (identifier := usable_id(item)) is not None:
                yield identifier
    elif (identifier := usable_id(found)) is not None:
        yield identifier


def is_template(path: str) -> bool:
    """Whether `path` is a template such as `{self.output_dir}/{request.id}/*.json`, not a short path."""
    return "{" in path


def places(template: str) -> list[str]:
    """Return the short paths in a template."""
    return _PLACE.findall(template)


def files_at(path: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the file names at a short path, or those of a template, where `*` finds what is there."""
    if is_template(path):
        words = {place: resolve(place, values) for place in places(path)}
        if all(isinstance(word, (str, os.PathLike)) and str(word) for word in words.values()):
            pattern = _PLACE.sub(lambda match: glob.escape(str(words[match[1]])), path)
            if "*" in path:
                yield from sorted(glob.glob(pattern))[:MAX_VALUES]  # noqa: PTH207 - pathlib's takes no absolute pattern
            else:
                yield _PLACE.sub(lambda match: str(words[match[1]]), path)
        return
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
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    in_place = kinds <= {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    names = tuple(signature.parameters)

    def bind(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if in_place and not kwargs and len(args) == len(names):
            return dict(zip(names, args, strict=True))  # most calls; binding takes ten times as long
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
