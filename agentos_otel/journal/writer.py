"""The journal of this process: one append-only file that survives `kill -9`, found alive by its lock.

Life of the file: created under a temporary name, locked, renamed into `live/<host>/` (the other way round a newborn
would look dead), written by one `write()` per record, closed by an end record. The lock (`flock` on the first segment)
is kept for the process's life; pid and boot id name the wrong process in containers, so they are for display only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from agentos_otel import guard
from agentos_otel.journal.encoding import json_bytes
from agentos_otel.journal.losses import Losses
from agentos_otel.journal.record import MAX_RECORD, STATEMENT, TAGS, frame
from agentos_otel.journal.waiting import WaitingRecords

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX: Final = ".otlp"
FULL: Final = "full"
"""A file of this name in the folder of the journals says that all of them together have reached their cap."""
MAX_RUN_SIZE: Final = 1 << 30
"""Bytes that one process writes at most, unless it is told otherwise."""
_GRANT: Final = 16 << 20
"""Bytes between two looks at the caps."""
_RETRY: Final = 0.1
"""Seconds between two tries while the disk is full."""
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OPEN_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC


class Journal:
    """Appends records to this process's file; opened at the first record, in a fork's child a file of its own.

    Args:
        directory: `…/journal/live/<host>`; made at the first record, mode 0700.
        new_run_id: Gives the id of the run, which names the file; called again in a forked child.
        hello: Gives, for the id of the run, the statement that opens its file (its whole resource).
        max_bytes: What this process writes at most; statements, which are few, are written all the same.
        opened: Called once the file is there, in a fork's child too.
    """

    def __init__(
        self,
        directory: Path,
        new_run_id: Callable[[], str],
        hello: Callable[[str], Mapping[str, Any]],
        max_bytes: int = MAX_RUN_SIZE,
        opened: Callable[[], None] | None = None,
    ) -> None:
        self._directory = directory
        self._new_run_id = new_run_id
        self._hello = hello
        self._full = f"{directory.parent.parent}/{FULL}"
        self._opened = opened
        self._lock = threading.RLock()  # a plain lock deadlocks when a signal handler logs during a write
        self._file: int | None = None
        self._locked: int | None = None
        self._segment = 0
        self._torn = self._broken = False
        self._waiting = WaitingRecords()
        self._retry_at = 0.0
        self._max_bytes = max_bytes
        self._granted = self._left = 0
        self._losses = Losses()
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
        self._torn = self._broken = False
        self._waiting = WaitingRecords()  # those there are the parent's to write
        self._retry_at = 0.0
        self._granted = self._left = 0
        self._losses = Losses()
        self.run_id = self._new_run_id()

    @property
    def path(self) -> Path:
        """Path of the first segment, whether it exists yet or not."""
        return self._directory / f"{self.run_id}{SUFFIX}"

    @property
    def is_open(self) -> bool:
        """Whether anything was written yet."""
        return self._file is not None

    @property
    def dropped(self) -> int:
        """Records that could not be kept."""
        return self._losses.total

    def write(self, field: int, body: bytes) -> bool:
        """Append `body` as one record in `field`; see `append`."""
        return self.append(frame(field, body))

    def append(self, record: bytes) -> bool:
        """Append one record; False if it is dropped (counted in `dropped`), never an exception.

        What a full disk has no room for waits in memory and is written once there is room.
        """
        size = len(record)
        with self._lock:
            self._left -= size
            if (self._left < 0 or size > MAX_RECORD) and not self._has_room(record):
                return False
            if self._file is not None and not self._waiting:
                try:
                    written = os.write(self._file, record)
                except OSError:
                    written = 0  # tried once more below, where it is told
                if written == size:
                    if self._losses.untold:
                        self._report()
                    return True
                self._torn = written > 0
            if self._broken or not self._waiting.push(record):
                self._losses.count(record)
                return False
            self._write_waiting()
            return not self._broken

    def _write_waiting(self) -> None:
        """Write what waits, as far as there is room; the file is opened here too."""
        if (now := time.monotonic()) < self._retry_at:
            return  # a call that fails costs the host as much as one that does not
        try:
            if self._file is None:
                self._open()
            self._waiting.drain(self._put)
        except OSError as error:
            self._retry_at = now + _RETRY
            self._broken = self._file is None and error.errno not in _NO_ROOM
            lot = "are dropped" if self._broken else "wait in memory as long as there is room"
            guard.warn_once("state", "the journal cannot be written, spans %s: %s", lot, error)
            if self._broken:
                self._drop_waiting()
        else:
            if self._losses.untold:
                self._report()

    def _put(self, record: bytes) -> None:
        # After a record that a full disk cut, the segment is left as it is (readers count the damage): truncating here
        # could destroy what another writer, the reaper, has appended.
        if self._torn:
            self._next_segment()
        self._torn = os.write(self._file, record) != len(record)  # type: ignore[arg-type]
        if self._torn:
            raise OSError(errno.ENOSPC, "the disk is full")

    def _drop_waiting(self) -> None:
        while self._waiting:
            self._losses.count(self._waiting.pop())

    def _has_room(self, record: bytes) -> bool:
        """Whether the caps allow a record: looked at before the first, each `_GRANT` bytes, and for one too large."""
        written = self._granted - self._left
        if len(record) > MAX_RECORD:
            guard.warn_once("size", "a record of %d bytes is too large for the journal and was dropped", len(record))
        elif record[:1] == TAGS[STATEMENT]:
            return True
        elif written > self._max_bytes:
            guard.warn_once("cap", "this process has written the %d bytes it may, spans are dropped", self._max_bytes)
        elif os.path.exists(self._full):  # noqa: PTH110 - pathlib costs 5 ms of import
            guard.warn_once("full", "the journals have reached their cap, spans are dropped: run `agentos-otel prune`")
        else:
            grant = min(_GRANT, self._max_bytes - self._granted)
            self._granted += grant
            self._left += grant
            return True
        self._left += len(record)
        self._losses.count(record)
        return False

    def _report(self) -> None:
        """Write down what was lost since the last time; what cannot be written is counted on."""
        untold = self._losses.take()
        traces = {trace_id.hex(): records for trace_id, records in untold.items()}
        if not self.state({"op": "lost", "kind": "dropped", "traces": traces}):
            self._losses.give_back(untold)

    def state(self, statement: Mapping[str, Any]) -> bool:
        """Append a statement (field 12)."""
        return self.write(STATEMENT, json_bytes(statement))

    def _open(self) -> None:
        temporary = self._directory / f".{self.run_id}.new"
        try:
            self._make_directory()
            descriptor = os.open(temporary, _OPEN_FLAGS, 0o600)
        except FileNotFoundError:  # removed between the two, since it had been empty for long
            self._make_directory()
            descriptor = os.open(temporary, _OPEN_FLAGS, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hello = frame(STATEMENT, json_bytes(self._hello(self.run_id)))
            if os.write(descriptor, hello) != len(hello):
                raise OSError(errno.ENOSPC, "the disk is full")
            temporary.rename(self.path)
        except OSError:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            raise
        self._file = self._locked = descriptor
        if self._opened is not None:
            self._opened()

    def _make_directory(self) -> None:
        """Make the folder; one that somebody else could swap for another is refused."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        user = os.geteuid()
        for folder in (self._directory, *list(self._directory.parents)[:2]):
            status = folder.lstat()
            if stat.S_ISLNK(status.st_mode) or (user and status.st_uid not in (user, 0)):
                raise OSError(f"{folder} belongs to another user, or is a link: set AGENTOS_OTEL_STATE_DIR")

    def _next_segment(self) -> None:
        name = f"{self.run_id}.{self._segment + 1}{SUFFIX}"
        further = os.open(self._directory / name, _OPEN_FLAGS, 0o600)
        # Only now: had it failed, a number that is closed, and soon the host's, would stay the one that is written to.
        if self._file is not None and self._file != self._locked:
            os.close(self._file)
        self._segment += 1
        self._file, self._torn = further, False

    def close(self, statement: Mapping[str, Any] | None) -> None:
        """Write the end record, if anything was written at all, and let the lock go.

        Without a statement the run is dead, not ended: the reaper settles what it leaves open.
        """
        with self._lock:
            self._retry_at = 0.0
            if self._waiting:
                self._write_waiting()
                self._drop_waiting()
            if self._locked is None:
                return
            if self._losses.untold:
                self._report()
            if statement is not None:
                self.state({**statement, "dropped": sum(self._losses.untold.values())})
            for descriptor in {self._file, self._locked} - {None}:
                os.close(descriptor)  # type: ignore[arg-type]
            self._file = self._locked = None
            self._broken = True
