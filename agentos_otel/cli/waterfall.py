"""A run as bars over time; long waits between stages are folded and said so."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from agentos_otel.cli.format import Screen, duration, glyph, moment, number, records, style
from agentos_otel.query.tree import build, walk, with_roots

if TYPE_CHECKING:
    from rich.console import Console

NAME_SHARE: Final = 0.4
FOLD_SHARE: Final = 0.25
"""A gap in which nothing ran is folded where it is longer than this share of all the time in which something did."""
FOLD_COLUMNS: Final = 3
"""Columns of a folded gap."""
_TIME_WIDTH: Final = 10


class Scale:
    """Maps a time to a column, with the gaps in which nothing ran folded.

    Attributes:
        folded: Lengths of the folded gaps, in nanoseconds, in order.
        folds: Each of them as (start, end, first column, one after the last).
        work: Nanoseconds in which something ran.
    """

    def __init__(self, busy: list[tuple[float, float]], width: int) -> None:
        merged: list[list[float]] = []
        for start, end in sorted(busy):
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([start, end])
        self.width, self.work = width, sum(end - start for start, end in merged)
        gaps = [after[0] - before[1] for before, after in pairwise(merged)]
        self.folded = [gap for gap in gaps if gap > FOLD_SHARE * self.work]
        shown = self.work + sum(gap for gap in gaps if gap <= FOLD_SHARE * self.work)
        # However many gaps are folded, two thirds of the width are left for the work.
        fold = min(FOLD_COLUMNS, width / 3 / len(self.folded)) if self.folded else 0.0
        per_time = (width - fold * len(self.folded)) / (shown or 1)
        self._ends, self._pieces, self.folds, column = [], [], [], 0.0
        for position, (start, end) in enumerate(merged):
            if position:
                gap = gaps[position - 1]
                if gap > FOLD_SHARE * self.work:
                    self.folds.append((merged[position - 1][1], start, int(column), int(column + fold)))
                    column += fold
                else:
                    column += gap * per_time
            self._ends.append(end)
            self._pieces.append((start, column, per_time))
            column += (end - start) * per_time

    def column(self, at: float) -> int:
        """Return the column of a time; one in a gap has that of the gap's end."""
        piece = bisect_left(self._ends, at)
        if piece == len(self._ends):
            return self.width
        start, column, per_time = self._pieces[piece]
        # The small number undoes rounding: the end of the last piece is the width, not a hair less.
        return max(0, min(int(column + max(at - start, 0) * per_time + 1e-6), self.width))


def print_waterfall(console: Console, document: dict[str, Any], *, now_ns: int) -> None:
    """Print the spans of each attempt as bars; what still runs is drawn up to `now_ns` (Unix nanoseconds)."""
    screen = Screen(console)
    by_trace: dict[str, list[dict[str, Any]]] = {str(a.get("trace_id")): [] for a in records(document, "attempts")}
    for span in with_roots(document):
        by_trace.setdefault(str(span.get("trace_id")), []).append(span)
    drawn = [(trace_id, spans) for trace_id, spans in by_trace.items() if spans]
    for position, (trace_id, spans) in enumerate(drawn):
        if position:
            screen.line()
        _print_attempt(screen, trace_id, spans, now_ns)
    if not drawn:
        screen.line("no spans", "dim")


def _print_attempt(screen: Screen, trace_id: str, spans: list[dict[str, Any]], now_ns: int) -> None:
    times = {id(span): _times(span, now_ns) for span in spans}
    # The frame of a task spans its waits, so the scale goes by what works in it; of the frame, its two ends are kept.
    inner = [times[id(span)] for span in spans if span.get("kind") != "task"]
    frames = [time for span in spans if span.get("kind") == "task" for time in times[id(span)]]
    busy = inner + [(time, time) for time in frames] if inner else list(times.values())
    names = max(int(screen.width * NAME_SHARE), 8)
    scale = Scale(busy, max(screen.width - names - _TIME_WIDTH - 2, 4))
    first, last = min(start for start, _ in busy), max(end for _, end in busy)
    screen.line(f"trace {trace_id}", "bold")
    screen.line(f"  begun {moment(first)}, {duration(last - first)}, something ran for {duration(scale.work)}")
    for depth, node in walk(build(spans)):
        span = node.span
        start, end = times[id(span)]
        label = screen.fit(f"{' ' * min(depth, names // 3)}{glyph(span.get('status'))} {span.get('name')}", names)
        text = f"{label} {_bar(scale, start, end)} {duration(end - start):>{_TIME_WIDTH}}"
        screen.line(screen.fit(text, screen.width).rstrip(), style(span.get("status")))
    if scale.folded:
        _print_folds(screen, scale.folded)


def _times(span: dict[str, Any], now_ns: int) -> tuple[float, float]:
    """Return start and end; a span without an end lasts until now, and none ends before it starts."""
    start, end = number(span.get("start_ns")), number(span.get("end_ns"))
    first = start if start is not None else end if end is not None else now_ns
    return first, max(first, now_ns if end is None else end)


def _bar(scale: Scale, start: float, end: float) -> str:
    first = min(scale.column(start), scale.width - 1)
    last = max(scale.column(end), first + 1)
    cells = [" "] * first + ["━"] * (last - first) + [" "] * (scale.width - last)
    for gap_start, gap_end, left, right in scale.folds:
        if start <= gap_start and gap_end <= end:
            for column in range(left, min(max(right, left + 1), scale.width)):
                cells[column] = "┄"
    return "".join(cells)


def _print_folds(screen: Screen, folded: list[float]) -> None:
    longest = sorted(folded, reverse=True)[:5]
    told = ", ".join(map(duration, longest)) + (", …" if len(folded) > len(longest) else "")
    gaps = "1 gap" if len(folded) == 1 else f"{len(folded)} gaps"
    screen.line(f"  ┄ folded: {gaps} in which nothing ran ({told})", "dim")
