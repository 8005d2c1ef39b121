"""From the journals to the server: reads what they have grown by, sends it, notes how far it has come.

At least once: a position is moved only after the server has answered. One sender at a time: a lock on a file, held for
one pass, so that every process of a state directory can be the one that sends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agentos_otel import guard
from agentos_otel.errors import StorageError
from agentos_otel.export import retrying
from agentos_otel.export.claim import FILE
from agentos_otel.export.delivery import REQUEST_LIMIT, Batch
from agentos_otel.export.intake import CHUNK, Intake
from agentos_otel.export.journal_files import JournalFiles
from agentos_otel.export.keeping import Ended, Keeping
from agentos_otel.export.positions import Parked, Positions, Step
from agentos_otel.export.sender import Outcome, Sender
from agentos_otel.journal import reader
from agentos_otel.journal.record import ENDED_SPAN

LOCK: Final = "forward.lock"
BATCH: Final = 512 << 10


@dataclass(frozen=True, slots=True)
class Progress:
    """What one pass did.

    Attributes:
        sent: Spans that the server took.
        failed: Why the sending stopped, if it did; else empty.
        wait: Seconds until it is worth trying again.
        busy: Another process was sending.
    """

    sent: int = 0
    failed: str = ""
    wait: float = 0.0
    busy: bool = False


class _TryAgainError(Exception):
    """A request is to be tried again later."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


class Forwarder:
    """Sends what the journals of one state directory hold; used by one thread.

    Args:
        state_dir: The state directory.
        sender: Sends requests.
        keep: Part of the tasks without an error that is sent, 0 to 1; with less than 1 each waits for its end.
        ended: Says which tasks have ended on other hosts; None knows only what these journals say.
        request_limit: Bytes of one request.

    Raises:
        StorageError: The positions cannot be opened.
    """

    def __init__(
        self,
        state_dir: Path,
        sender: Sender,
        keep: float = 1.0,
        ended: Ended | None = None,
        request_limit: int = REQUEST_LIMIT,
    ) -> None:
        self._state_dir = state_dir
        self._journal_dir = state_dir / "journal"
        self._sender = sender
        self._limit = request_limit
        self._positions = Positions(state_dir / FILE)
        self._files = JournalFiles(self._journal_dir)
        self._keeping = Keeping(keep, self._positions.decision, ended) if keep < 1 else None
        self._intake = Intake(self._keeping)
        self._batch = Batch()
        self._sent = 0
        self._lock: int | None = None
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        # The child shares the lock's open file: kept, it would go on holding the lock after its parent's death.
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def close(self) -> None:
        """Close connection and positions."""
        self._sender.close()
        self._positions.close()

    def counts(self) -> dict[str, Any]:
        """Return the counters, of all processes since the positions were made."""
        return self._positions.state()

    def pump(
        self, stop: Callable[[], bool] = lambda: False, *, thorough: bool = False, patient: bool = True
    ) -> Progress:
        """Send everything that is there now.

        Args:
            stop: Asked between two requests; true ends the pass, and the next one goes on from there.
            thorough: Look at quiet files too.
            patient: Keep to the retry schedule; else try at once, as when a user asks.

        Raises:
            StorageError: The positions cannot be read or written.
        """
        self._sent = 0
        with self._locked() as locked:
            if not locked:
                return Progress(busy=True)
            state = self._positions.state()
            wait = float(state.get("retry_at") or 0) - time.time()
            if patient and 0 < wait <= retrying.LONGEST_ASKED_S:
                return Progress(failed=str(state.get("last_error") or ""), wait=wait)
            self._begin()
            try:
                self._pass(stop, thorough=thorough)
            except _TryAgainError as failure:
                return self._failed(failure.outcome, int(state.get("failures") or 0))
            if state.get("failures"):
                self._positions.take(Step(state={"failures": 0, "retry_at": 0}))
            return Progress(self._sent)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        self._lock = os.open(self._state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked = True
            except BlockingIOError:
                locked = False
            yield locked
        finally:
            if self._lock is not None:
                # Closing is not enough: a child that was forked meanwhile may not have closed its copy yet.
                fcntl.flock(self._lock, fcntl.LOCK_UN)
                os.close(self._lock)
                self._lock = None

    def _failed(self, outcome: Outcome, failures: int) -> Progress:
        wait = retrying.delay(failures, outcome.retry_after)
        state = {"failures": failures + 1, "retry_at": time.time() + wait, "last_error": outcome.detail}
        self._positions.take(Step(state=state, counts={"retried": 1}))
        return Progress(self._sent, outcome.detail or "no answer", wait)

    # --- one pass ---

    def _begin(self) -> None:
        """Forget what a pass that failed has read: it is read again."""
        self._batch = Batch()
        self._intake.begin()

    def _pass(self, stop: Callable[[], bool], *, thorough: bool) -> None:
        offsets = self._positions.offsets()
        for name, path in self._files.grown(offsets, thorough=thorough):
            self._read(name, path, offsets.get(name, 0), stop)
            if stop():
                break
        self._intake.look_at_reservations()
        self._flush()
        self._settle()
        if thorough:
            self._forget(offsets)

    def _forget(self, offsets: Mapping[str, int]) -> None:
        gone = [name for name in offsets.keys() - set(self._files.names()) if not (self._journal_dir / name).exists()]
        if gone:
            self._positions.forget(gone)

    def _read(self, name: str, path: Path, offset: int, stop: Callable[[], bool]) -> None:
        while True:
            try:
                chunk = reader.read_file(path, offset, limit=CHUNK)
            except (OSError, StorageError) as error:  # gone, another user's, or a newer version's
                guard.warn_once(f"forward {name}", "%s is not forwarded: %s", name, error)
                return
            if chunk.next_offset == offset:
                return
            self._intake.take(self._batch, name, path, chunk.records)
            offset = self._batch.step.offsets[name] = chunk.next_offset
            if self._batch.size >= BATCH:
                self._flush()
                if stop():
                    return

    # --- sending ---

    def _flush(self) -> None:
        """Send the batch and note it.

        Raises:
            _TryAgainError: It is to be tried again; nothing of it is noted.
        """
        batch = self._batch
        self._intake.add_markers(batch)
        failure = batch.deliver(self._sender, self._limit)
        if failure is not None:
            raise _TryAgainError(failure)
        if self._keeping is not None:
            batch.step.decisions.update(self._keeping.new)
        self._positions.take(batch.step)
        if self._keeping is not None:
            self._keeping.new.clear()
        for name in batch.ended:  # not before: what is to be tried again must be found again
            self._files.ended(name)
        self._sent += batch.step.counts.get("sent", 0)
        self._batch = Batch()

    def _settle(self) -> None:
        """Decide on tasks that have ended, and send or leave out what has waited."""
        keeping, waiting = self._keeping, self._positions.waiting_tasks()
        if keeping is not None:
            keeping.settle(self._positions.over(), waiting)
            self._positions.take(Step(decisions=dict(keeping.new)))
            keeping.new.clear()
        for task_id in waiting:
            kept = True if keeping is None else keeping.of(task_id)
            for parked in self._positions.parked(task_id=task_id) if kept is not None else ():
                if kept:
                    self._release(parked)
                else:
                    self._batch.step.unpark.append(parked.id)
                    self._batch.count(left_out=parked.spans)
        self._flush()

    def _release(self, parked: Parked) -> None:
        """Send what was held back, from where it lies in its journal."""
        path = self._journal_dir / parked.path
        splitter = self._intake.splitter(parked.path, path)
        self._batch.step.unpark.append(parked.id)
        records: list[reader.Record] = []
        with contextlib.suppress(OSError):
            records = reader.read_records(path, list(parked.places))
        found = 0
        for record in records:
            if record.field == ENDED_SPAN:
                pieces = splitter.split(record.body)
                found += len(pieces)
                self._batch.add(pieces, (parked.path, record.offset, record.size))
        if len(records) < len(parked.places):  # gone with its journal; what was erased stands there as a statement
            self._batch.count(lost=max(0, parked.spans - found))
        if self._batch.size >= BATCH:
            self._flush()

    def retry_refused(self) -> Progress:
        """Send again what the server has refused, once its cause is repaired; what is refused again is counted anew."""
        self._sent = 0
        with self._locked() as locked:
            if not locked:
                return Progress(busy=True)
            self._begin()
            try:
                for parked in list(self._positions.parked(refused=True)):
                    self._batch.count(set_aside=-parked.spans)
                    self._release(parked)
                self._flush()
            except _TryAgainError as failure:
                return self._failed(failure.outcome, 0)
            return Progress(self._sent)
