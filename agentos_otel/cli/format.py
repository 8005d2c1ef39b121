"""How times, durations, states and lines look in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console

STYLES: Final = {
    "ok": ("✓", "green"),
    "completed": ("✓", "green"),
    "present": ("✓", "green"),
    "error": ("✗", "bold red"),
    "failed": ("✗", "bold red"),
    "missing": ("✗", "bold red"),
    "abandoned": ("☠", "bold red"),
    "cancelled": ("⊘", "yellow"),
    "running": ("▶", "cyan"),
    "executing": ("▶", "cyan"),
    "planning": ("▶", "cyan"),
    "waiting": ("…", "yellow"),
    "changed": ("≠", "yellow"),
    "open": ("·", "cyan"),
    "pending": ("·", "dim"),
    "created": ("·", "dim"),
    "skipped": ("-", "dim"),
}
"""The sign and the rich style of each status of a task, span, attempt, phase or artifact."""

_LIMIT: Final = 2**64  # a time is 64 bits wide; this keeps NaN out as well
_UNKNOWN: Final = ("?", "")
_ASCII: Final = str.maketrans(
    {"✓": "+", "✗": "x", "☠": "!", "⊘": "/", "▶": ">", "…": "~", "·": ".", "≠": "!", "━": "=", "┄": ":", "│": "|",
     "├": "|", "└": "`", "─": "-", "▼": "v", "→": ">"}
)  # fmt: skip
"""What stands for our own signs where the console has only ASCII; one character each, so that columns hold."""


class Screen:
    """Lines on a console: control characters escaped, no markup, signs that its encoding has, cut to a terminal.

    Where the console is no terminal, lines are as long as they are: a file or a pipe has no width.
    """

    def __init__(self, console: Console) -> None:
        from rich.cells import cell_len
        from rich.text import Text

        self._console, self._text, self.cells = console, Text, cell_len
        self._ascii = not console.encoding.lower().startswith("utf")
        self.width = max(console.width, 20)

    def plain(self, text: object) -> str:
        """Return text as this console can show it, on one line."""
        shown = printable(text)
        return shown.translate(_ASCII).encode("ascii", "backslashreplace").decode() if self._ascii else shown

    def line(self, text: str = "", look: str = "", *, faint: str = "") -> None:
        """Print one line: `faint` (guides of a tree) dimmed, then `text` in the style `look`."""
        if not self._console.is_terminal:  # no styles, no width: rich would take a quarter of a millisecond a line
            self._console.file.write(f"{self.plain(faint)}{self.plain(text)}\n")
            return
        shown = self._text()
        if faint:
            shown.append(self.plain(faint), style="dim")
        shown.append(self.plain(text), style=look)
        if shown.cell_len > self.width:
            shown.truncate(self.width - 1)
            shown.append(self.plain("…"), style="dim")
        self._console.print(shown, no_wrap=True, overflow="ignore", crop=False)

    def fit(self, text: object, width: int) -> str:
        """Return text in exactly `width` cells, cut or filled up."""
        from rich.cells import set_cell_size

        shown = self.plain(text)
        if self.cells(shown) > width:
            return set_cell_size(shown, max(width - 1, 0)) + self.plain("…")
        return set_cell_size(shown, width)


def glyph(status: object) -> str:
    """Return the sign of a status."""
    return STYLES.get(str(status), _UNKNOWN)[0]


def style(status: object) -> str:
    """Return the style of a status, as rich names it."""
    return STYLES.get(str(status), _UNKNOWN)[1]


def duration(nanoseconds: float | None) -> str:
    """Return a length of time in two significant units: `1.24s`, `3m 05s`, `2d 4h`."""
    if nanoseconds is None:
        return ""
    if not math.isfinite(nanoseconds):
        return "?"
    if nanoseconds < 0:
        return "-" + duration(-nanoseconds)
    if nanoseconds < 999_950_000:
        return f"{nanoseconds / 1e6:.1f}ms"
    if nanoseconds < 59_995_000_000:
        return f"{nanoseconds / 1e9:.2f}s"
    minutes, rest = divmod(round(nanoseconds / 1e9), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes:02}m"
    return f"{hours // 24}d {hours % 24}h"


def size(count: int) -> str:
    """Return a number of bytes with one unit: `512 B`, `1.5 MiB`."""
    if count < 1024:
        return f"{count} B"
    unit = min((count.bit_length() - 1) // 10, 4)
    return f"{count / (1 << 10 * unit):.1f} {' KMGT'[unit]}iB"


def moment(nanoseconds: float | None, zone: tzinfo | None = None) -> str:
    """Return a time to the second in ISO form, in `zone` (`datetime.UTC`) or the machine's own; 0 is no time."""
    if not nanoseconds:
        return ""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC).astimezone(zone).isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):
        return f"{nanoseconds}ns"


def printable(text: object) -> str:
    """Return text with control characters escaped: a name must not move the cursor."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in shown)


def number(value: object) -> float | None:
    """Return a number of a document, or None for anything else: records of other versions may hold odd values."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -_LIMIT < value < _LIMIT else None


def span_of_time(start: object, end: object) -> float | None:
    """Return the nanoseconds from `start` to `end`, or None where one of them is not known."""
    first, last = number(start), number(end)
    return None if first is None or last is None else last - first


def records(document: dict[str, Any], part: str) -> Iterator[dict[str, Any]]:
    """Yield the records of a part of a document: `spans`, `refs`, `logs`."""
    found = document.get(part)
    for record in found if isinstance(found, list) else ():
        if isinstance(record, dict):
            yield record


def mapping(document: dict[str, Any], part: str) -> dict[str, Any]:
    """Return a part of a document that is one mapping: `task`, `losses`; empty where it is none."""
    found = document.get(part)
    return found if isinstance(found, dict) else {}
