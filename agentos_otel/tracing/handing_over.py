"""Arguments that a point changes on their way in: a function takes the span along, a dict gets the trace id."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

from opentelemetry.context import attach, detach, get_current

from agentos_otel import guard
from agentos_otel.context.current import current_attempt
from agentos_otel.model import Failure, Point
from agentos_otel.semconv import HOST_METADATA_TRACE_ID

Wrap: TypeAlias = Callable[[Callable[..., Any], Point], Any]


def over(fn: Callable[..., Any], point: Point, wrap: Wrap) -> Callable[..., Any]:
    """Return `fn` called with what `point.carry` and `point.stamps` name replaced; inside the span of the call.

    `wrap` makes the wrapper of a function that is carried for a task of its own.
    """
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):
        return fn

    def changed(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        bound = signature.bind(*args, **kwargs)
        if point.carry and callable(carried := bound.arguments.get(point.carry)):
            bound.arguments[point.carry] = carry(_of_its_task(carried, point, wrap) if point.carry_task else carried)
        if point.stamps and point.stamps in signature.parameters:
            attempt = current_attempt()
            given = bound.arguments.get(point.stamps)
            if attempt is not None and attempt.sampled and (given is None or isinstance(given, dict)):
                # In the host's own dict, not in a copy: the host adds to it too, and its caller may look at that.
                given = {} if given is None else given
                given[HOST_METADATA_TRACE_ID] = attempt.trace_hex
                bound.arguments[point.stamps] = given
        return bound.args, bound.kwargs

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        new = guard.guarded("changing arguments", _try, changed, args, kwargs)
        args, kwargs = new or (args, kwargs)
        return fn(*args, **kwargs)

    return call


def _of_its_task(fn: Callable[..., Any], point: Point, wrap: Wrap) -> Callable[..., Any]:
    """Return `fn` with each call as work of the host's task that its first argument names; False means failure."""
    try:
        first = next(iter(inspect.signature(fn).parameters.values()))
    except (TypeError, ValueError, StopIteration):
        return fn
    name = f"{first.name}.0" if first.kind is first.VAR_POSITIONAL else first.name
    path = f"{name}.{point.carry_task}"
    failed = (Failure("result", (False,)),)
    made: Callable[..., Any] = wrap(fn, Point("stage", "scheduled_task", new=True, task=path, failed=failed))
    return made


def _try(changed: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    try:
        return changed(args, kwargs)
    except TypeError:  # a call that does not fit: the host's own function says so
        return None


def carry(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fn` as it would run here, for a call in another thread.

    Not `contextvars.copy_context().run`: several workers would enter the same copy at once, which is an error.
    """
    context = get_current()

    @functools.wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        token = attach(context)
        try:
            return fn(*args, **kwargs)
        finally:
            detach(token)

    return run
