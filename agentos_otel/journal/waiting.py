"""Records that found no room on the disk: they wait in memory, in order, up to a limit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from agentos_otel.journal.record import STATEMENT, TAGS

MAX_WAITING: Final = 1 << 20
"""Bytes that wait at most; statements, which are few and without which a task has no end, twice as many."""


class WaitingRecords:
    """A queue of records; what is beyond the limit is refused, and its caller's to count."""

    __slots__ = ("_busy", "_records", "_size")

    def __init__(self) -> None:
        self._records: deque[bytes] = deque()
        self._size = 0
        self._busy = False

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._records)

    def push(self, record: bytes) -> bool:
        """Let `record` wait; False where there is no room for it here either."""
        limit = MAX_WAITING * (2 if record[:1] == TAGS[STATEMENT] else 1)
        if self._records and self._size + len(record) > limit:
            return False
        self._records.append(record)
        self._size += len(record)
        return True

    def pop(self) -> bytes:
        """Take out the record whose turn it is."""
        record = self._records.popleft()
        self._size -= len(record)
        return record

    def drain(self, write: Callable[[bytes], None]) -> None:
        """Write one after the other; what `write` raises on stays, and all behind it.

        A signal handler that logs meanwhile comes here in the midst of a write: its record is written in its turn.
        """
        if self._busy:
            return
        self._busy = True
        try:
            while self._records:
                write(self._records[0])
                self.pop()
        finally:
            self._busy = False
