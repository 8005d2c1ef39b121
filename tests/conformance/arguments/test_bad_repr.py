"""An argument or result whose `__repr__`, `__str__`, `__eq__`, `__bool__` or `__getattr__` raises does no harm."""

from __future__ import annotations

from typing import Any

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike


class Hostile:
    """Raises at whatever is asked of it."""

    def _raise(self, *args: object) -> Any:
        raise RuntimeError("not to be asked")

    __repr__ = __str__ = __eq__ = __bool__ = __len__ = __iter__ = __getattr__ = __getitem__ = __contains__ = _raise
    __hash__ = None  # type: ignore[assignment]


def test_hostile_values(adapter: Adapter, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[bool]:
        given = Hostile()

        @decorate
        def work(number: Any, *others: Any, **named: Any) -> Any:
            return number

        return [work(given) is given, work([given], given, named=given)[0] is given]

    assert alike(scenario, adapter.capturing) == [True, True]
    assert shape() == [("work", None, "ok")] * 2
