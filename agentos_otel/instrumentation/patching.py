"""Puts the wrapper in the place of a target in an imported module: functions and methods of every kind."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from agentos_otel.instrumentation.point_map import MappedPoint
    from agentos_otel.model import Point

Wrap = Callable[[Callable[..., Any], "Point"], Callable[..., Any]]
MARK: Final = "__agentos_otel_point__"


def apply(module: ModuleType, mapped: MappedPoint, wrap: Wrap) -> bool:
    """Wrap the target of `mapped` in `module`, once; False if this version of the host has no such target.

    The raw attribute is taken from the class's own `__dict__`: `getattr` would bind a classmethod and hide what kind
    of descriptor has to be put back. An inherited method is wrapped on the named class alone.
    """
    *owners, name = mapped.qualname.split(".")
    holder: Any = module
    for owner in owners:
        holder = vars(holder).get(owner)
        if holder is None:
            return False
    raw = _raw(holder, name)
    if raw is None:
        return False
    if not hasattr(getattr(raw, "__func__", getattr(raw, "fget", raw)), MARK):
        setattr(holder, name, _rewrapped(raw, mapped.point, wrap))
    return True


def _raw(holder: Any, name: str) -> Any:
    for scope in getattr(holder, "__mro__", (holder,)):
        if name in vars(scope):
            return vars(scope)[name]
    return None


def _rewrapped(raw: Any, point: Point, wrap: Wrap) -> Any:
    if isinstance(raw, staticmethod):
        return staticmethod(wrap(raw.__func__, point))
    if isinstance(raw, classmethod):
        return classmethod(wrap(raw.__func__, point))
    if isinstance(raw, property):
        return property(wrap(raw.fget, point) if raw.fget else None, raw.fset, raw.fdel, raw.__doc__)
    return wrap(raw, point)
