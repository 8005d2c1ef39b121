"""What both drivers give the database: one connection, and the one deadline of a transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from agentos_otel.errors import StorageError, StorageTimeout


class ConnectionLost(StorageError):  # noqa: N818 - reads as what happened
    """The server or the file behind a connection is gone; a new connection may succeed."""


class Deadline:
    """The moment up to which connecting, waiting for locks and all statements of one transaction may take.

    Args:
        seconds: How long from now.
        where: The database, for messages; no password in it.
    """

    __slots__ = ("_at", "_seconds", "where")

    def __init__(self, seconds: float, where: str) -> None:
        self._seconds = seconds
        self._at = time.monotonic() + seconds
        self.where = where

    @property
    def is_over(self) -> bool:
        """Whether the moment has passed."""
        return time.monotonic() >= self._at

    def left(self) -> float:
        """Return the seconds that are left, always more than 0.

        Raises:
            StorageTimeout: None are left.
        """
        seconds = self._at - time.monotonic()
        if seconds <= 0:
            raise self.passed()
        return seconds

    def left_ms(self) -> int:
        """Return the milliseconds that are left, at least 1.

        Raises:
            StorageTimeout: None are left.
        """
        return max(1, int(self.left() * 1000))

    def passed(self) -> StorageTimeout:
        """Return the exception to raise when time is up."""
        return StorageTimeout(
            f"the task database {self.where} did not answer within {self._seconds:g} s: see who holds it, or set a "
            "longer timeout"
        )


class Connection(Protocol):
    """One connection of one process to one database; every call keeps to its deadline.

    Each raises StorageTimeout when the deadline is over, ConnectionLost when the other side is gone and StorageError
    for anything else that the driver says.
    """

    @property
    def is_usable(self) -> bool:
        """Whether another transaction may begin on it."""
        ...

    def schema_version(self, deadline: Deadline) -> int:
        """Return the number of the newest migration applied, 0 if none; called outside a transaction."""
        ...

    def make_migrations_table(self, deadline: Deadline) -> None:
        """Make the table of migrations, and the schema it is in, unless they are there."""
        ...

    def begin(self, locks: Sequence[str], deadline: Deadline, *, read: bool) -> None:
        """Begin a transaction and take `locks` in it."""
        ...

    def run(self, sql: str, parameters: Mapping[str, Any], deadline: Deadline) -> int:
        """Run a statement with `:name` placeholders and return how many rows it changed."""
        ...

    def all(self, sql: str, parameters: Mapping[str, Any], deadline: Deadline) -> list[dict[str, Any]]:
        """Run a statement with `:name` placeholders and return its rows."""
        ...

    def commit(self, deadline: Deadline) -> None:
        """Keep what the transaction did."""
        ...

    def roll_back(self, deadline: Deadline) -> None:
        """Undo what the transaction did; never raises. The connection is closed where that fails."""
        ...

    def close(self) -> None:
        """Close the connection; never raises."""
        ...
