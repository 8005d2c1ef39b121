"""Puts the wrapper in the place of a target in an imported module: functions and methods of every kind."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from agentos_otel import guard

if TYPE_CHECKING:
    from agentos_otel.instrumentation.point_map import MappedPoint
    from agentos_otel.model import Point

Wrap = Callable[[Callable[..., Any], "Point"], Callable[..., Any]]
MARK: Final = "__agentos_otel_point__"


def apply(module: ModuleType, mapped: MappedPoint, wrap: Wrap) -> bool:
    """Wrap the target of `mapped` in `module`, once; an inherited method is wrapped on the named class alone.

    Args:
        module: The imported module.
        mapped: The point and where it is.
        wrap: Makes the wrapper of a plain function.

    Returns:
        Whether the target is wrapped now; False where this version of the host has none, or one of a kind that a
        wrapper would break. Never raises: it runs inside the host's imports.
    """
    try:
        holder, name, raw = _find(module, mapped.qualname)
        if holder is None:
            return False
        bare = _function(raw)
        if not _is_function(bare):
            # A class, or an object that a decorator made (a click.Command, whose function is its `callback`): its users
            # test its type.
            guard.warn_once(f"kind {mapped.module}:{mapped.qualname}", "%s:%s is no function or method: not traced",
                            mapped.module, mapped.qualname)  # fmt: skip
            return False
        if not hasattr(bare, MARK):
            setattr(holder, name, _rewrapped(raw, lambda fn: wrapped(fn, mapped.point, wrap)))
    except Exception as error:  # noqa: BLE001 - in the host's import
        guard.failed(f"wrapping {mapped.module}:{mapped.qualname}", error)
        return False
    return True


def wrapped(fn: Callable[..., Any], point: Point, wrap: Wrap) -> Callable[..., Any]:
    """Return `fn` wrapped and marked; marked already (by a decorator, or as its base class's) it stays as it is."""
    if hasattr(fn, MARK):
        return fn
    wrapper = wrap(fn, point)
    # functools.wraps copies `__dict__` alone: `cache_clear` of an lru_cache lies elsewhere, and its users call it.
    for name in dir(fn):
        if not name.startswith("_") and not hasattr(wrapper, name):
            setattr(wrapper, name, getattr(fn, name))
    setattr(wrapper, MARK, point)
    return wrapper


def aliases(module: ModuleType, mapped: MappedPoint) -> tuple[str, ...]:
    """Return where other modules hold the bare module-level function of `mapped`, taken by `from module import it`.

    A wrapper that comes now cannot reach these; they are only named. Rebinding them is wrong: which of the names that
    hold the object were meant to follow the module's cannot be known.
    """
    holder, _, raw = _find(module, mapped.qualname)
    if holder is not module or raw is None:
        return ()
    found = []
    for name, other in list(sys.modules.items()):
        if other is not module and isinstance(other, ModuleType):
            # Not vars(): a lazy module is loaded by the first look at any of its attributes, `__dict__` too.
            values = object.__getattribute__(other, "__dict__")
            found += [f"{name}.{key}" for key, value in list(values.items()) if value is raw]
    return tuple(sorted(found))


def locate(module: ModuleType, qualname: str) -> Callable[..., Any] | None:
    """Return the plain function that a target names, out of its descriptor, or None where there is none."""
    _, _, raw = _find(module, qualname)
    function: Callable[..., Any] | None = _function(raw)
    return function if _is_function(function) else None


def _find(module: ModuleType, qualname: str) -> tuple[Any, str, Any]:
    """Return holder, name and raw attribute of a target; holder None where there is none.

    `getattr` would be wrong: it binds a classmethod and runs a property, so that what kind has to be put back is lost,
    and a module's own `__getattr__` may import half of the host.
    """
    *owners, name = qualname.split(".")
    holder: Any = module
    for owner in owners:
        holder = _raw(holder, owner)
        if isinstance(holder, ModuleType) or not hasattr(holder, "__dict__"):
            return None, name, None
    if owners and name.startswith("__") and not name.endswith("__"):
        name = f"_{owners[-1].lstrip('_')}{name}"  # as the compiler names a private method
    raw = _raw(holder, name)
    return (None, name, None) if raw is None else (holder, name, raw)


def _raw(holder: Any, name: str) -> Any:
    for scope in holder.__mro__ if isinstance(holder, type) else (holder,):
        if name in vars(scope):
            return vars(scope)[name]
    return None


def _function(raw: Any) -> Any:
    """Return the function inside a descriptor."""
    if isinstance(raw, (staticmethod, classmethod)):
        return raw.__func__
    return raw.fget if isinstance(raw, property) else raw


def _is_function(value: Any) -> bool:
    return callable(value) and inspect.isroutine(value)


def _rewrapped(raw: Any, wrap: Callable[[Any], Any]) -> Any:
    """Return the same kind of descriptor around the wrapper."""
    if isinstance(raw, staticmethod):
        return staticmethod(wrap(raw.__func__))
    if isinstance(raw, classmethod):
        return classmethod(wrap(raw.__func__))
    if isinstance(raw, property):
        return raw.getter(wrap(raw.fget))  # keeps setter, deleter, and a subclass of property
    return wrap(raw)
