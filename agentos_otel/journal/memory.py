"""A journal that keeps nothing: for spans that are wanted in memory alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class MemoryJournal:
    """What `Journal` offers, without a file.

    Args:
        run_id: Id of this process's part in the work.
    """

    is_open = False
    dropped = 0

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.path = Path()

    def append(self, record: bytes) -> bool:
        """Take a record and forget it."""
        return True

    def write(self, field: int, body: bytes) -> bool:
        """Take a record and forget it."""
        return True

    def state(self, statement: Mapping[str, Any]) -> bool:
        """Take a statement and forget it."""
        return True

    def close(self, statement: Mapping[str, Any] | None = None) -> None:
        """Do nothing: there is no file."""
