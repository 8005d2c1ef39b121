"""Exact wrappers: a callable in a span that behaves as the bare one, whatever kind it is.

They are `functools.wraps` closures, five times cheaper than `wrapt.decorator`, and picklable by name. The host's
exceptions pass as the same object; the callable is called exactly once; no `await` is added.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, Final

from agentos_otel.errors import ConfigurationError
from agentos_otel.model import Point
from agentos_otel.tracing import points
from agentos_otel.tracing import runtime as runtimes
from agentos_otel.tracing.paths import binder
from agentos_otel.tracing.plan import Plan

MARK: Final = "__agentos_otel_point__"


def wrap(fn: Any, point: Point) -> Any:
    """Return `fn` in a span as `point` says; sync, coroutine, generator and async generator functions.

    What returns an awaitable without being a coroutine function (a plain function, a partial) is timed as the call.
    Inside a classmethod, staticmethod or property it is the function that is wrapped, and the kind stays.

    Raises:
        ConfigurationError: `fn` is a class, or nothing that is called.
    """
    if isinstance(fn, (classmethod, staticmethod)):
        return type(fn)(wrap(fn.__func__, point))
    if isinstance(fn, property):
        return fn.getter(wrap(fn.fget, point))
    if isinstance(fn, type) or not callable(fn):
        raise ConfigurationError(
            f"{point.kind} stands on functions and methods, not on {fn!r}: decorate what is called"
        )
    wrapper = _wrapper(fn, point)
    if not isinstance(fn, types.FunctionType):
        # A partial, a cache, a bound method, a callable object: its users ask for more of it than the call.
        from agentos_otel.tracing.callable_object import CallableObject

        return CallableObject(fn, wrapper, point, wrap)
    functools.update_wrapper(wrapper, fn)
    setattr(wrapper, MARK, point)
    return wrapper


def _wrapper(fn: Callable[..., Any], point: Point) -> Callable[..., Any]:
    enter = _enterer(fn, point)
    bare = fn
    if point.carry or point.stamps:
        from agentos_otel.tracing.handing_over import over

        fn = over(fn, point, wrap)
    if inspect.isasyncgenfunction(bare):
        return _flagged(_generator(fn, enter, _drive_async), inspect.CO_ASYNC_GENERATOR)
    if inspect.isgeneratorfunction(bare):
        return _flagged(_generator(fn, enter, _drive), inspect.CO_GENERATOR)
    if inspect.iscoroutinefunction(bare):
        return _coroutine(fn, enter)
    return _function(fn, enter)


Enter = Callable[[tuple[Any, ...], dict[str, Any]], points.Entry | None]


def _enterer(fn: Callable[..., Any], point: Point) -> Enter:
    """Return what enters `point` for a call; arguments are named only where something reads them."""
    module = getattr(fn, "__module__", "") or ""
    qualname = getattr(fn, "__qualname__", type(fn).__qualname__)
    plan = Plan(point, getattr(fn, "__name__", type(fn).__name__), f"{module}.{qualname}")
    bind = binder(fn)
    needs_arguments, may_capture = plan.needs_arguments, point.capture is None

    def enter(args: tuple[Any, ...], kwargs: dict[str, Any]) -> points.Entry | None:
        if not needs_arguments:
            runtime = runtimes.current()
            if runtime is None:
                return None
            if not (may_capture and runtime.options.capture):
                return points.enter(plan)
        return points.enter(plan, bind(args, kwargs))

    return enter


def _function(fn: Callable[..., Any], enter: Enter) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        entered = enter(args, kwargs)
        if entered is None:
            return fn(*args, **kwargs)
        try:
            result = fn(*args, **kwargs)
        except BaseException as error:
            entered.leave(error)
            raise
        entered.leave(None, result)
        return result

    return wrapper


def _coroutine(fn: Callable[..., Any], enter: Enter) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        entered = enter(args, kwargs)
        if entered is None:
            return await fn(*args, **kwargs)
        try:
            result = await fn(*args, **kwargs)
        except BaseException as error:
            entered.leave(error)
            raise
        entered.leave(None, result)
        return result

    return wrapper


def _generator(fn: Callable[..., Any], enter: Enter, driver: Callable[..., Any]) -> Callable[..., Any]:
    # A generator object is named by the function that made it.
    assert isinstance(driver, types.FunctionType)  # noqa: S101 - for the type checker
    drive = types.FunctionType(driver.__code__, driver.__globals__, getattr(fn, "__name__", driver.__name__))
    drive.__qualname__ = getattr(fn, "__qualname__", drive.__name__)

    # A plain function, so that wrong arguments raise at the call as they do bare; `_flagged` makes `inspect` see what
    # the bare function is.
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return drive(fn(*args, **kwargs), enter, args, kwargs)

    return wrapper


def _drive(generator: Any, enter: Enter, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a generator in a span that is current only while the generator's own code runs."""
    entered = enter(args, kwargs)
    step, value = generator.send, None
    try:
        while True:
            item = step(value)
            if entered is not None:
                entered.suspend()
            try:
                value = yield item
                step = generator.send
            except BaseException as error:  # noqa: BLE001 - handed to the generator, which decides
                # GeneratorExit too. `generator.close()` here would lose what `close()` returns since Python 3.13, and
                # run the generator's `finally` outside its span.
                step, value = generator.throw, error
            if entered is not None:
                entered.resume()
    except StopIteration as stop:
        if entered is not None:
            entered.leave(None, stop.value)
        return stop.value
    except BaseException as error:
        if entered is not None:
            entered.leave(error)
        raise


async def _drive_async(generator: Any, enter: Enter, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The same for an async generator."""
    entered = enter(args, kwargs)
    step, value = generator.asend, None
    try:
        while True:
            item = await step(value)
            if entered is not None:
                entered.suspend()
            try:
                value = yield item
                step = generator.asend
            except BaseException as error:  # noqa: BLE001 - handed to the generator, which decides
                step, value = generator.athrow, error
            if entered is not None:
                entered.resume()
    except StopAsyncIteration:
        if entered is not None:
            entered.leave(None)
    except BaseException as error:
        if entered is not None:
            entered.leave(error)
        raise


def _flagged(wrapper: Callable[..., Any], flag: int) -> Callable[..., Any]:
    """Return `wrapper` with a code flag that `inspect.is…function` reads; the interpreter goes by opcodes instead."""
    assert isinstance(wrapper, types.FunctionType)  # noqa: S101 - for the type checker
    code = wrapper.__code__.replace(co_flags=wrapper.__code__.co_flags | flag)
    return types.FunctionType(code, wrapper.__globals__, wrapper.__name__, None, wrapper.__closure__)
