"""What was not kept: counted for the trace that it belongs to."""

from __future__ import annotations

from typing import Final

from agentos_otel import guard

_MOST_TRACES: Final = 1000
"""Traces of which losses are counted one by one; those of further ones are counted together."""


class Losses:
    """Counts of records that were dropped.

    Attributes:
        total: All of them.
        untold: Those that are not written down yet, by trace id; under no id those of statements.
    """

    __slots__ = ("total", "untold")

    def __init__(self) -> None:
        self.total = 0
        self.untold: dict[bytes, int] = {}

    def count(self, data: bytes) -> None:
        """Count the records in `data`, which was to be written."""
        for trace_id in guard.guarded("counting what is dropped", _traces_of, data) or [b""]:
            self.total += 1
            known = trace_id if len(self.untold) < _MOST_TRACES or trace_id in self.untold else b""
            self.untold[known] = self.untold.get(known, 0) + 1

    def take(self) -> dict[bytes, int]:
        """Return what is not written down yet; it is from now on, unless it is given back."""
        untold, self.untold = self.untold, {}
        return untold

    def give_back(self, untold: dict[bytes, int]) -> None:
        """Count on what could not be written down."""
        for trace_id, records in untold.items():
            self.untold[trace_id] = self.untold.get(trace_id, 0) + records


def _traces_of(data: bytes) -> list[bytes]:
    """Return the trace of each record in `data`, empty for a statement."""
    from agentos_otel.journal import reader, scanning  # at the first loss: most processes have none

    found = [scanning.ids_of(record.field, record.body) for record in reader.parse(data).records]
    return [ids[0][0] if ids else b"" for ids in found]
