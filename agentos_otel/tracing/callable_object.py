"""A callable that is no plain function, in a span: whatever else is asked of it, the object itself answers.

A closure would hide `partial.func`, `cache_info()` of a cache and the attributes of a callable object, and would bind
where the object does not. Imported at the first such object only: wrapt brings asyncio in (65 ms).
"""

from __future__ import annotations

import copy
import types
from collections.abc import Callable
from typing import Any

import wrapt

from agentos_otel.model import Point


class CallableObject(wrapt.ObjectProxy):  # type: ignore[type-arg]
    """Stands in for `fn` in everything but the call, which `call` makes; `wrap` makes the same of a copy."""

    # wrapt keeps on the proxy what its class names and what begins with `_self_`; all else lands on the object.
    __agentos_otel_point__: Point | None = None

    def __init__(self, fn: Any, call: Callable[..., Any], point: Point, wrap: Callable[[Any, Any], Any]) -> None:
        super().__init__(fn)
        self._self_call = call
        self._self_wrap = wrap
        self.__agentos_otel_point__ = point

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object in its span."""
        return self._self_call(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Bind where the object would: a cache does, a partial or an instance with `__call__` does not."""
        if instance is None or not hasattr(type(self.__wrapped__), "__get__"):
            return self
        return types.MethodType(self, instance)

    def __copy__(self) -> Any:
        """Copy the object, in spans as this one."""
        return self._self_wrap(copy.copy(self.__wrapped__), self.__agentos_otel_point__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Copy the object deeply, in spans as this one."""
        return self._self_wrap(copy.deepcopy(self.__wrapped__, memo), self.__agentos_otel_point__)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle the object; where it is read it is in spans as this one."""
        return self._self_wrap, (self.__wrapped__, self.__agentos_otel_point__)
