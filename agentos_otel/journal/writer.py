"""The journal of this process: one append-only file that survives `kill -9`, found alive by its lock.

Life of the file: created under a temporary name, locked, renamed into `live/<host>/` (the other way round a newborn
would look dead), written by one `write()` per record, closed by an end record. The lock (`flock` on the first segment)
is kept for the process's life; pid and boot id name the wrong process in containers, so they are for display only.
"""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from agentos_otel import guard
from agentos_otel.journal.encoding import json_bytes
from agentos_otel.journal.record import MAX_RECORD, STATEMENT, TAGS, frame

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX: Final = ".otlp"
FULL: Final = "full"
"""A file of this name in the folder of the journals says that all of them together have reached their cap."""
MAX_RUN_SIZE: Final = 1 << 30
"""Bytes that one process writes at most, unless it is told otherwise."""
_GRANT: Final = 16 << 20
"""Bytes between two looks at the caps."""
_MOST_TRACES: Final = 1000
"""Traces of which losses are counted one by one; those of further ones are counted together."""
_OPEN_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC


class Journal:
    """Appends records to this process's file; opened at the first record, in a fork's child a file of its own.

    Args:
        directory: `…/journal/live/<host>`; made at the first record, mode 0700.
        new_run_id: Gives the id of the run, which names the file; called again in a forked child.
        hello: Gives, for the id of the run, the statement that opens its file (its whole resource).
        max_bytes: What this process writes at most; statements, which are few, are written all the same.
        opened: Called once the file is there, in a fork's child too.

    Attributes:
        dropped: Records that could not be kept.
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
        self._broken = False
        self._max_bytes = max_bytes
        self._granted = self._left = 0
        self._lost: dict[bytes, int] = {}
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
        self._granted = self._left = 0
        self._lost = {}
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
        size = len(record)
        with self._lock:
            self._left -= size
            if (self._left < 0 or size > MAX_RECORD) and not self._has_room(record):
                return False
            try:
                descriptor = self._file if self._file is not None else self._open()
                written = os.write(descriptor, record)
                if written == size:
                    if self._lost:
                        self._report()
                    return True
                # A full disk cut the record. The segment is left as it is (readers count the damage): truncating
                # here could destroy what another writer, the reaper, has appended.
                self._next_segment()
                if os.write(self._file, record) == size:  # type: ignore[arg-type]
                    return True
                raise OSError("the disk is full")
            except OSError as error:
                self._broken = self._file is None
                guard.warn_once("state", "the journal cannot be written, spans are dropped: %s", error)
                self._drop(record)
                return False

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
        self._drop(record)
        return False

    def _drop(self, record: bytes) -> None:
        """Count records that are not kept, each for the trace that it belongs to."""
        for trace_id in guard.guarded("counting what is dropped", _traces_of, record) or [b""]:
            self.dropped += 1
            known = trace_id if len(self._lost) < _MOST_TRACES or trace_id in self._lost else b""
            self._lost[known] = self._lost.get(known, 0) + 1

    def _report(self) -> None:
        """Write down what was lost since the last time; what cannot be written is counted on."""
        lost, self._lost = self._lost, {}
        traces = {trace_id.hex(): records for trace_id, records in lost.items()}
        if not self.state({"op": "lost", "kind": "dropped", "traces": traces}):
            for trace_id, records in lost.items():
                self._lost[trace_id] = self._lost.get(trace_id, 0) + records

    def state(self, statement: Mapping[str, Any]) -> bool:
        """Append a statement (field 12)."""
        return self.write(STATEMENT, json_bytes(statement))

    def _open(self) -> int:
        if self._broken:
            raise OSError("the state directory is not writable")
        temporary = self._directory / f".{self.run_id}.new"
        try:
            self._make_directory()
            descriptor = os.open(temporary, _OPEN_FLAGS, 0o600)
        except FileNotFoundError:  # removed between the two, since it had been empty for long
            self._make_directory()
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

    def _make_directory(self) -> None:
        """Make the folder; one that somebody else could swap for another is refused."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        user = os.geteuid()
        for folder in (self._directory, *list(self._directory.parents)[:2]):
            status = folder.lstat()
            if stat.S_ISLNK(status.st_mode) or (user and status.st_uid not in (user, 0)):
                raise OSError(f"{folder} belongs to another user, or is a link: set AGENTOS_OTEL_STATE_DIR")

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
            if self._lost:
                self._report()
            if statement is not None:
                self.state({**statement, "dropped": sum(self._lost.values())})
            for descriptor in {self._file, self._locked} - {None}:
                os.close(descriptor)  # type: ignore[arg-type]
            self._file = self._locked = None
            self._broken = True


def _traces_of(data: bytes) -> list[bytes]:
    """Return the trace of each record in what was to be written, empty for a statement."""
    from agentos_otel.journal import reader, scanning  # at the first loss: most processes have none

    found = [scanning.ids_of(record.field, record.body) for record in reader.parse(data).records]
    return [ids[0][0] if ids else b"" for ids in found]
