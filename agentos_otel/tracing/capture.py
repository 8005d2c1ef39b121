"""Values as text, cut while they are made: nothing is consumed, nothing large is copied, nothing raises.

`repr` of a container would be wrong: it makes the whole before it can be cut, and a lazy one (a database query) runs.
So containers that are whole in memory are walked here, by the methods of their base classes, which run no code of the
host's; what can only be iterated is named by its type; the host's own `__repr__` is called on what is left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from agentos_otel.tracing.limits import LEFT_OUT, MARGIN
from agentos_otel.tracing.redaction import REDACTED, is_secret_name

_MAX_DEPTH: Final = 6
_MAX_KEY: Final = 100
_MAX_BITS: Final = 4096
_ITERABLE: Final = frozenset(("__iter__", "__next__", "__aiter__", "__anext__"))
_ARRAYS: Final = ("numpy", "pandas", "torch")


def text_of(value: Any, limit: int, name: str = "") -> tuple[str, bool]:
    """Return `value` as text of about `limit` characters and a margin for `cut`, and whether something was left out.

    Args:
        value: Anything; strings are kept as they are, the rest reads like its `repr`.
        limit: Characters.
        name: What the value is called; a secret by its name is not kept.
    """
    if name and is_secret_name(name):
        return REDACTED, False
    if type(value) is str:
        return value[: limit + MARGIN], len(value) > limit
    writer = _Writer(limit + MARGIN)
    try:
        writer.write(value, 0)
    except Exception:  # noqa: BLE001 - whatever a host's object does, and containers that change meanwhile
        writer.parts.append(LEFT_OUT)
        writer.cut = True
    return "".join(writer.parts), writer.cut


class _Writer:
    """Text in the making; `left` characters may still be written."""

    __slots__ = ("cut", "left", "parts")

    def __init__(self, limit: int) -> None:
        self.parts: list[str] = []
        self.left = limit
        self.cut = False

    def _add(self, text: str) -> None:
        self.parts.append(text)
        self.left -= len(text)

    def write(self, value: Any, depth: int) -> None:
        """Write `value`, or `...` where there is no room for it."""
        if self.left <= 0 or depth > _MAX_DEPTH:
            self.cut = True
            self.parts.append(LEFT_OUT)
            return
        kind = type(value)
        if kind is str:
            if len(value) > self.left:
                self.cut = True
                value = value[: self.left] + LEFT_OUT
            self._add(_quoted(value))
        elif value is None or kind is float or kind is bool or (kind is int and value.bit_length() < _MAX_BITS):
            self._add(repr(value))
        elif isinstance(value, dict):
            self._mapping(value, depth)
        elif isinstance(value, list):
            self._items("[", list.__iter__(value), "]", depth)
        elif isinstance(value, tuple):
            self._tuple(value, depth)
        elif isinstance(value, (set, frozenset)):
            base = set if isinstance(value, set) else frozenset
            self._items("{", base.__iter__(value), "}", depth)  # type: ignore[arg-type]
        elif isinstance(value, deque):
            self._items("deque([", deque.__iter__(value), "])", depth)
        else:
            self._other(value, kind, depth)

    def _items(self, begin: str, items: Iterable[Any], end: str, depth: int) -> None:
        first = True
        for item in items:
            self._add(begin if first else ", ")
            first = False
            self.write(item, depth + 1)
            if self.left <= 0:
                break
        self._add(begin + end if first else end)

    def _mapping(self, value: dict[Any, Any], depth: int) -> None:
        # Short strings under a name are what most of a message is: they are added here, without a call.
        parts, left, lead = self.parts, self.left, "{"
        for key, given in dict.items(value):
            item = given
            if type(key) is str and len(key) <= _MAX_KEY:
                named, secret = _key(key)
                if secret:
                    item = REDACTED
                text = lead + named
                if type(item) is str and len(item) < left:
                    text += _quoted(item)
                    parts.append(text)
                    left -= len(text)
                    lead = ", "
                    continue
                self.left = left
                self._add(text)
            else:
                self.left = left
                self._add(lead)
                self.write(key, depth + 1)
                self._add(": ")
            lead = ", "
            self.write(item, depth + 1)
            left = self.left
            if left <= 0:
                break
        self.left = left
        self._add("{}" if lead == "{" else "}")

    def _fields(self, kind: type, fields: Iterable[tuple[str, Any]], depth: int) -> None:
        lead = f"{kind.__qualname__}("
        for name, item in fields:
            self._add(f"{lead}{name}=")
            lead = ", "
            self.write(REDACTED if is_secret_name(name) else item, depth + 1)
            if self.left <= 0:
                break
        self._add(")" if lead == ", " else f"{lead})")

    def _tuple(self, value: tuple[Any, ...], depth: int) -> None:
        names = getattr(type(value), "_fields", None)
        if isinstance(names, tuple) and len(names) == len(value):
            self._fields(type(value), zip(map(str, names), tuple.__iter__(value), strict=True), depth)
        else:
            self._items("(", tuple.__iter__(value), ",)" if len(value) == 1 else ")", depth)

    def _other(self, value: Any, kind: type, depth: int) -> None:
        if isinstance(value, str):
            self.write(str.__getitem__(value, slice(self.left + 1)), depth)
        elif isinstance(value, (bytes, bytearray, memoryview)):
            self._add(f"<{memoryview(value).nbytes} bytes>")  # rarely text, and never worth the copy
        elif isinstance(value, int) and value.bit_length() >= _MAX_BITS:
            self._add(f"<int of {value.bit_length()} bits>")  # its digits take long, and Python refuses them
        elif (names := _field_names(kind)) is not None:
            self._fields(kind, ((name, object.__getattribute__(value, name)) for name in names), depth)
        elif isinstance(value, BaseException) and _is_plain_exception(kind):
            self._items(f"{kind.__qualname__}(", value.args, ")", depth)
        else:
            self._represented(value, kind)

    def _represented(self, value: Any, kind: type) -> None:
        shown: Any = kind.__repr__
        if kind.__module__.partition(".")[0] in _ARRAYS and getattr(value, "shape", None):
            text = f"<{kind.__qualname__} {tuple(value.shape)} {getattr(value, 'dtype', '')}".rstrip() + ">"
        elif shown is object.__repr__ or (kind is not range and _is_iterable(kind)):
            text = f"<{kind.__qualname__}>"
        else:
            text = _repr(value, kind)
        if len(text) > self.left:
            self.cut = True
            text = text[: self.left]
        self._add(text)


@lru_cache(maxsize=4096)
def _key(key: str) -> tuple[str, bool]:
    """Return how a key is written, and whether its value is a secret by its name."""
    return f"{key!r}: ", is_secret_name(key)


def _quoted(text: str) -> str:
    """Return `repr(text)`, but for the rarest control characters, which stay.

    `repr` looks at each character twice, which was a third of the time of a captured page; these searches run at the
    speed of memory.
    """
    if (
        "'" in text or "\\" in text or "\n" in text or "\t" in text or "\r" in text or "\x1b" in text
        or not text.isascii()
    ):  # fmt: skip
        return repr(text)
    return f"'{text}'"


def _is_iterable(kind: type) -> bool:
    # Not hasattr(): it finds an Enum's `__iter__`, which is its metaclass's.
    return any(not _ITERABLE.isdisjoint(vars(base)) for base in kind.__mro__)


def _is_plain_exception(kind: type) -> bool:
    shown: Any = kind.__repr__
    return shown is BaseException.__repr__ and "args" not in vars(kind)


def _repr(value: Any, kind: type) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - whatever a host's __repr__ does
        return f"<{kind.__qualname__}>"


def _field_names(kind: type) -> list[str] | None:
    """Return the fields that a generated `__repr__` shows; None for other classes, and where the host wrote its own."""
    shown: Any = getattr(kind, "__dataclass_fields__", None)
    if shown is not None:
        generated = hasattr(kind.__repr__, "__wrapped__")
    else:
        shown = getattr(kind, "__pydantic_fields__", None)
        generated = isinstance(shown, dict) and getattr(kind.__repr__, "__module__", "") == "pydantic.main"
    return [name for name, field in shown.items() if field.repr] if generated else None
