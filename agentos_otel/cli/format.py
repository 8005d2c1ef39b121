"""How times, durations and states look in a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

STYLES: Final = {
    "ok": ("✓", "green"),
    "completed": ("✓", "green"),
    "error": ("✗", "bold red"),
    "failed": ("✗", "bold red"),
    "abandoned": ("☠", "bold red"),
    "cancelled": ("⊘", "yellow"),
    "running": ("▶", "cyan"),
    "executing": ("▶", "cyan"),
    "planning": ("▶", "cyan"),
    "waiting": ("…", "yellow"),
    "pending": ("·", "dim"),
    "created": ("·", "dim"),
    "skipped": ("-", "dim"),
}
_ASCII: Final = {"✓": "+", "✗": "x", "☠": "!", "⊘": "/", "▶": ">", "…": "~", "·": "."}


def glyph(status: str, *, ascii_only: bool = False) -> str:
    """Return the sign of a status."""
    sign = STYLES.get(status, ("?", ""))[0]
    return _ASCII.get(sign, sign) if ascii_only else sign


def style(status: str) -> str:
    """Return the style of a status, as rich names it."""
    return STYLES.get(status, ("?", ""))[1]


def duration(nanoseconds: float | None) -> str:
    """Return a length of time in two significant units: `1.24s`, `3m 05s`, `2d 4h`."""
    if nanoseconds is None:
        return ""
    seconds = nanoseconds / 1e9
    if seconds < 1:
        return f"{seconds * 1000:.1f}ms"
    if seconds < 60:
        return f"{seconds:.2f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes:02}m"
    return f"{hours // 24}d {hours % 24}h"


def moment(nanoseconds: int | None, zone: tzinfo | None = None) -> str:
    """Return a time to the second, in `zone` or the machine's own."""
    if not nanoseconds:
        return ""
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).astimezone(zone).isoformat(" ", "seconds")


def printable(text: object) -> str:
    """Return text with control characters escaped: a name must not move the cursor."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text))
