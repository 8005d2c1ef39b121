"""A run as bars over time; long waits between stages are folded and said so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agentos_otel.cli.format import duration, glyph, printable, style
from agentos_otel.query.tree import Node, build, walk

if TYPE_CHECKING:
    from rich.console import Console

NAME_SHARE: Final = 0.4
FOLD_SHARE: Final = 0.2
"""A gap without any work longer than this share of the work is folded to a tenth of the work."""


class Scale:
    """Maps a time to a column, with the gaps in which nothing ran folded."""

    def __init__(self, spans: list[dict[str, Any]], now_ns: int, width: int) -> None:
        busy = sorted((s["start_ns"], max(s["end_ns"] or now_ns, s["start_ns"])) for s in spans)
        merged: list[list[int]] = []
        for start, end in busy:
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([start, end])
        work = sum(end - start for start, end in merged) or 1
        self.folded: list[int] = []
        self._pieces: list[tuple[int, int, float]] = []
        offset, before = 0.0, merged[0][0] if merged else 0
        for start, end in merged:
            gap = start - before
            if gap > FOLD_SHARE * work:
                self.folded.append(gap)
                gap = int(work / 10)
            offset += gap
            self._pieces.append((start, end, offset))
            offset += end - start
            before = end
        self._total, self.width = offset or 1, width

    def column(self, at: int) -> int:
        """Return the column of a time."""
        for start, end, offset in self._pieces:
            if at <= end:
                return min(int((offset + max(at - start, 0)) / self._total * self.width), self.width - 1)
        return self.width - 1


def print_waterfall(console: Console, document: dict[str, Any], *, now_ns: int) -> None:
    """Print the spans as bars; what still runs is drawn up to `now_ns` (Unix nanoseconds)."""
    from rich.text import Text

    nodes = list(walk(build(document["spans"])))
    # A root and a task's own frame span the waits, so the scale goes by what works: everything below it.
    inner = [node.span for depth, node in nodes if depth] or [node.span for _, node in nodes]
    names = max(int(console.width * NAME_SHARE), 12)
    scale = Scale(inner, now_ns, max(console.width - names - 12, 10))
    for depth, node in nodes:
        bar = _bar(node, scale, now_ns)
        sign = glyph(node.span["status"], ascii_only=not console.encoding.lower().startswith("utf"))
        label = f"{'  ' * depth}{sign} {printable(node.span['name'])}"
        label = label if len(label) < names else label[: names - 2] + "…"
        took = duration((node.span["end_ns"] or now_ns) - node.span["start_ns"])
        text = Text(f"{label:<{names}}{bar:<{scale.width}} {took:>9}", style=style(node.span["status"]))
        console.print(text, no_wrap=True, crop=console.is_terminal)
    if scale.folded:
        console.print(Text(f"folded: {', '.join(map(duration, scale.folded))} in which nothing ran", style="dim"))


def _bar(node: Node, scale: Scale, now_ns: int) -> str:
    first = scale.column(node.span["start_ns"])
    last = scale.column(max(node.span["end_ns"] or now_ns, node.span["start_ns"]))
    return " " * first + "━" * max(last - first, 1)
