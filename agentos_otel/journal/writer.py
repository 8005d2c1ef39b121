"""The journal of this process: one append-only file that survives `kill -9`, found alive by its lock.

Life of the file: created under a temporary name, locked, renamed into `live/<host>/` (the other way round a newborn
would look dead), written by one `write()` per record, closed by an end record. The lock (`flock` on the first segment)
is kept for the process's life; pid and boot id name the wrong process in containers, so they are for display only.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from agentos_otel import guard
from agentos_otel.journal.encoding import json_bytes
from agentos_otel.journal.record import STATEMENT, frame

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX: Final = ".otlp"
_OPEN_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC


class Journal:
    """Appends records to this process's file; opened at the first record, in a fork's child a file of its own.

    Args:
        directory: `…/journal/live/<host>`; made at the first record, mode 0700.
        new_run_id: Gives the id of the run, which names the file; called again in a forked child.
        hello: Gives, for the id of the run, the statement that opens its file (its whole resource).
        opened: Called once the file is there, in a fork's child too.
    """

    def __init__(
        self,
        directory: Path,
        new_run_id: Callable[[], str],
        hello: Callable[[str], Mapping[str, Any]],
        opened: Callable[[], None] | None = None,
    ) -> None:
        self._directory = directory
        self._new_run_id = new_run_id
        self._hello = hello
        self._opened = opened
        self._lock = threading.RLock()  # a plain lock deadlocks when a signal handler logs during a write
        self._file: int | None = None
        self._locked: int | None = None
        self._segment = 0
        self._broken = False
        self.dropped = 0
        self.run_id: str = new_run_id()
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        # Closing never unlocks (the lock belongs to the open file description, which the parent holds too); keeping
        # the descriptor would make a dead parent look alive for as long as the child lives.
        for descriptor in {self._file, self._locked} - {None}:
            os.close(descriptor)  # type: ignore[arg-type]
        self._lock = threading.RLock()
        self._file = self._locked = None
        self._segment = 0
        self._broken = False
        self.dropped = 0
        self.run_id = self._new_run_id()

    @property
    def path(self) -> Path:
        """Path of the first segment, whether it exists yet or not."""
        return self._directory / f"{self.run_id}{SUFFIX}"

    @property
    def is_open(self) -> bool:
        """Whether anything was written yet."""
        return self._file is not None

    def write(self, field: int, body: bytes) -> bool:
        """Append `body` as one record in `field`; see `append`."""
        return self.append(frame(field, body))

    def append(self, record: bytes) -> bool:
        """Append one record; False if it could not be kept (counted in `dropped`), never an exception."""
        with self._lock:
            try:
                descriptor = self._file if self._file is not None else self._open()
                written = os.write(descriptor, record)
                if written == len(record):
                    return True
                # A full disk cut the record. The segment is left as it is (readers count the damage): truncating
                # here could destroy what another writer, the reaper, has appended.
                self._next_segment()
                if os.write(self._file, record) == len(record):  # type: ignore[arg-type]
                    return True
                raise OSError("the disk is full")
            except OSError as error:
                self.dropped += 1
                self._broken = self._file is None
                guard.warn_once("state", "the journal cannot be written, spans are dropped: %s", error)
                return False

    def state(self, statement: Mapping[str, Any]) -> bool:
        """Append a statement (field 12)."""
        return self.write(STATEMENT, json_bytes(statement))

    def _open(self) -> int:
        if self._broken:
            raise OSError("the state directory is not writable")
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._directory / f".{self.run_id}.new"
        descriptor = os.open(temporary, _OPEN_FLAGS, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            temporary.rename(self.path)
        except OSError:
            os.close(descriptor)
            raise
        self._file = self._locked = descriptor
        os.write(descriptor, frame(STATEMENT, json_bytes(self._hello(self.run_id))))
        if self._opened is not None:
            self._opened()
        return descriptor

    def _next_segment(self) -> None:
        if self._file is not None and self._file != self._locked:
            os.close(self._file)
        self._segment += 1
        self._file = os.open(self._directory / f"{self.run_id}.{self._segment}{SUFFIX}", _OPEN_FLAGS, 0o600)

    def close(self, statement: Mapping[str, Any] | None) -> None:
        """Write the end record, if anything was written at all, and let the lock go.

        Without a statement the run is dead, not ended: the reaper settles what it leaves open.
        """
        with self._lock:
            if self._locked is None:
                return
            if statement is not None:
                self.state(statement)
            for descriptor in {self._file, self._locked} - {None}:
                os.close(descriptor)  # type: ignore[arg-type]
            self._file = self._locked = None
            self._broken = True
