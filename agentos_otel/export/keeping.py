"""Which tasks are sent where `AGENTOS_OTEL_KEEP` is less than 1: whole or not at all, decided once each has ended.

Until then its records wait in the journal and only their places are noted. A task with an error is kept, and so is one
that `current_task().keep()` named. Of the others a share is kept by a hash of the task's id: every forwarder that sees
a part of the task, on whatever host, comes to the same answer without asking.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from agentos_otel import semconv

Ended = Callable[[Sequence[str]], Mapping[str, str]]
"""Returns the status of those of the given tasks that have ended; they may have ended on another host."""

ERROR: Final = 2
_ASK_EVERY_S: Final = 10.0


class Keeping:
    """What is known of the tasks that wait.

    Args:
        share: Part of the tasks without an error that is kept, 0 to 1.
        decided: Returns an earlier decision on a task, or None.
        ended: Asks the task store; None where there is none.
    """

    def __init__(self, share: float, decided: Callable[[str], bool | None], ended: Ended | None) -> None:
        self._share = share
        self._decided = decided
        self._ended = ended
        self._known: dict[str, bool | None] = {}
        self._asked = 0.0
        self.new: dict[str, bool | None] = {}
        """Decisions that are still to be stored; None for a task that is over and not decided on."""

    def of(self, task_id: str) -> bool | None:
        """Return whether the task is kept; None until that is decided. What belongs to no task is kept."""
        if not task_id:
            return True
        if task_id not in self._known:
            self._known[task_id] = self._decided(task_id)
        return self._known[task_id]

    def begin(self) -> None:
        """Begin a pass: what was known may have been decided otherwise by another process since."""
        self._known.clear()
        self.new.clear()

    def keep(self, task_id: str) -> None:
        """Keep the task, whatever its hash says."""
        if task_id and self.of(task_id) is not True:
            self._known[task_id] = self.new[task_id] = True

    def heard(self, statement: Mapping[str, Any]) -> None:
        """Take in a statement of a journal that ends a task or asks to keep it."""
        task_id = str(statement.get("task_id") or "")
        if statement.get("op") == "keep" or statement.get("status") == "failed":
            self.keep(task_id)
        elif statement.get("op") == "end" and task_id and self.of(task_id) is None:
            self.new.setdefault(task_id, None)

    def spans(self, body: bytes) -> str:
        """Return the task of the spans in a `ResourceSpans` message; one with an error keeps its task."""
        from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

        task_id = ""
        for scope in ResourceSpans.FromString(body).scope_spans:
            for span in scope.spans:
                named = (pair.value.string_value for pair in span.attributes if pair.key == semconv.TASK_ID)
                task_id = next(named, task_id)
                if span.status.code == ERROR:
                    self.keep(task_id)
        return task_id

    def settle(self, over: Iterable[str], waiting: Iterable[str]) -> None:
        """Decide on the tasks that are `over`, and on those of the `waiting` ones that have ended elsewhere."""
        statuses: Mapping[str, str] = {}
        undecided = [task_id for task_id in waiting if self.of(task_id) is None]
        if undecided and self._ended is not None and time.monotonic() >= self._asked:
            self._asked = time.monotonic() + _ASK_EVERY_S
            statuses = self._ended(undecided)
        for task_id in {*over, *statuses}:
            if self.of(task_id) is None:
                kept = statuses.get(task_id) == "failed" or fraction(task_id) < self._share
                self._known[task_id] = self.new[task_id] = kept


def fraction(task_id: str) -> float:
    """Return a number from 0 to below 1 that is the task's own everywhere."""
    digest = hashlib.blake2b(task_id.encode("utf-8", "replace"), digest_size=6).digest()
    return int.from_bytes(digest, "big") / (1 << 48)
