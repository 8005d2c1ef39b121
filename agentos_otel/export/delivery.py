"""One batch of spans and its delivery: requests cut to size, refusals narrowed down, everything counted."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Final

from agentos_otel.export.fold import GROUP_OVERHEAD, Piece, request
from agentos_otel.export.positions import Parked, Step
from agentos_otel.export.sender import Outcome, Sender

REQUEST_LIMIT: Final = (4 << 20) - (64 << 10)
"""Bytes of one request: what a gRPC server takes unless it is told otherwise, less what frames it."""
_MAX_CUTS: Final = 64

Origin = tuple[str, int, int]
"""Where the record of a span lies: file, offset, size. A marker lies nowhere: its file is empty."""


class Batch:
    """Spans on their way, where each lies, and what is to be noted once they have arrived.

    Attributes:
        pieces: The spans.
        size: Their bytes.
        step: What is to be noted.
        ended: Files whose end record was read.
    """

    __slots__ = ("_held", "_origins", "ended", "pieces", "size", "step")

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self._origins: list[Origin] = []
        self.size = 0
        self.step = Step()
        self.ended: list[str] = []
        self._held: dict[tuple[str, bytes, str], list[tuple[int, int]]] = defaultdict(list)

    def add(self, pieces: list[Piece], origin: Origin) -> None:
        """Take in the spans of one record."""
        for piece in pieces:
            self.pieces.append(piece)
            self._origins.append(origin)
            self.size += len(piece.span)

    def hold(self, task_id: str, pieces: list[Piece], origin: Origin) -> None:
        """Note a record that waits for the end of its task."""
        path, offset, size = origin
        for trace_id in {piece.trace_id for piece in pieces}:
            self._held[task_id, trace_id, path].append((offset, size))

    def deliver(self, sender: Sender, limit: int = REQUEST_LIMIT) -> Outcome | None:
        """Send everything; None once each span is sent or set aside, else why it is to be tried again.

        A request that is refused may hold one span that is wrong among a thousand that are not: it is halved until the
        culprit stands alone, as long as that takes not too many requests.
        """
        todo = self._cut(limit)
        cuts = 0
        while todo:
            begin, end = todo.pop()
            outcome = sender.send(request(self.pieces[begin:end]))
            if outcome.kind == "retry":
                return outcome
            if outcome.kind == "sent":
                spans = sum(1 for path, _, _ in self._origins[begin:end] if path)
                rejected = min(outcome.rejected, spans)
                self.count(sent=spans - rejected, rejected=rejected)
                if outcome.detail:
                    self.step.state["last_answer"] = outcome.detail
            elif outcome.kind == "refused" and end - begin > 1 and cuts < _MAX_CUTS:
                cuts += 1
                middle = (begin + end) // 2
                todo += [(middle, end), (begin, middle)]
            else:
                self._set_aside(begin, end, outcome.detail)
        for (task_id, trace_id, path), places in self._held.items():
            self.step.park.append(Parked(task_id, trace_id, path, tuple(places), len(places)))
        return None

    def _cut(self, limit: int) -> list[tuple[int, int]]:
        """Return the borders of requests of at most `limit` bytes, the last one first."""
        borders = [0]
        size, header = 0, None
        for number, piece in enumerate(self.pieces):
            more = len(piece.span)
            if piece.resource is not header:
                header = piece.resource
                more += len(header) + len(piece.scope) + len(piece.tail) + GROUP_OVERHEAD
            if size + more > limit and number > borders[-1]:
                borders.append(number)
                size, header = 0, None
                more = len(piece.span) + len(piece.resource) + len(piece.scope) + len(piece.tail) + GROUP_OVERHEAD
            size += more
        if self.pieces:
            borders.append(len(self.pieces))
        return list(pairwise(borders))[::-1]

    def _set_aside(self, begin: int, end: int, reason: str) -> None:
        refused: dict[tuple[bytes, str], dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
        for piece, (path, offset, size) in zip(self.pieces[begin:end], self._origins[begin:end], strict=True):
            if path:
                refused[piece.trace_id, path][offset, size] += 1
        for (trace_id, path), places in refused.items():
            spans = sum(places.values())
            self.step.park.append(Parked("", trace_id, path, tuple(places), spans, reason or "refused"))
            self.count(set_aside=spans)

    def count(self, **counts: int) -> None:
        """Add to the counters, once everything has arrived."""
        for name, count in counts.items():
            self.step.counts[name] = self.step.counts.get(name, 0) + count
