"""Values as text, cut while they are made: nothing is consumed, nothing large is copied, nothing raises."""

from __future__ import annotations

import reprlib
from typing import Any, Final

_MAX_ITEMS: Final = 32
_MAX_DEPTH: Final = 4


class _Short(reprlib.Repr):
    """A `repr` with limits. Only containers that are whole in memory are looked into: an iterator is never consumed."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.maxlevel = _MAX_DEPTH
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = _MAX_ITEMS
        self.maxstring = self.maxlong = limit
        self.maxother = limit

    def repr_str(self, x: str, level: int) -> str:
        """Return the repr of the beginning of `x`; reprlib's own would build the whole first."""
        return repr(x if len(x) <= self.maxstring else x[: self.maxstring] + "…")

    def repr_bytes(self, x: bytes, level: int) -> str:
        """Return the size of `x`: bytes are rarely text, and never worth the copy."""
        return f"<{len(x)} bytes>"

    def repr_instance(self, x: Any, level: int) -> str:
        """Return `repr(x)`; its type's name where that raises."""
        try:
            return repr(x)[: self.maxother]
        except Exception:  # noqa: BLE001 - whatever a host's __repr__ does
            return f"<{type(x).__qualname__}>"


def text_of(value: Any, limit: int) -> tuple[str, bool]:
    """Return `value` as text of about `limit` characters, and whether it was cut."""
    if isinstance(value, str):
        return value[: limit + 1], len(value) > limit
    try:
        text = _Short(limit).repr(value)
    except Exception:  # noqa: BLE001 - whatever a host's object does
        text = f"<{type(value).__qualname__}>"
    return text[: limit + 1], len(text) > limit
