"""What is kept of a text: cut to a limit before anything serialises it, secrets replaced before it is written."""

from __future__ import annotations

from typing import Final

from agentos_otel.tracing.redaction import redact

MAX_TEXT: Final = 4096
"""Characters of one captured value."""

MARGIN: Final = 256
"""Characters beyond the limit that are looked at for secrets: the half of one at the edge would not be recognised."""

NO_SECRET: Final = 16
"""Characters below which a text is no secret."""


LEFT_OUT: Final = "..."
"""Stands where something was left out. Not "…": one such character doubles a text in memory, and makes the search for
secrets, the joining and the encoding of a page three times as slow."""


def cut(text: str, limit: int = MAX_TEXT, *, keep_end: bool = False) -> tuple[str, int]:
    """Return `text` within `limit` characters and without secrets, and 1 if it was cut.

    The end is kept of what tells most there (a traceback), else the beginning.
    """
    if len(text) < NO_SECRET:
        return text, 0
    if len(text) <= limit:
        return redact(text)[:limit], 0
    if keep_end:
        return LEFT_OUT + redact(text[-limit - MARGIN :])[-limit + len(LEFT_OUT) :], 1
    return redact(text[: limit + MARGIN])[: limit - len(LEFT_OUT)] + LEFT_OUT, 1


def printable(value: object) -> str:
    """Return `str(value)`, or its type's name where that raises (a host's `__str__` may)."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - whatever a host's __str__ does
        return f"<{type(value).__qualname__}>"
