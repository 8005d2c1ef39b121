"""Finishes the work of dead runs: their open spans are abandoned, they leave their tasks, owed roots are written.

A run is dead when its first segment is no longer locked and does not end with an end record. Whoever looks first
finishes it; the exclusive lock on the dead file makes it once. A reaper that is killed itself leaves a file that is not
done, which the next one goes on with: each step looks at what is written before it writes.

Only a lock of this kernel can be seen. So the runs of this host are finished here, and those of its containers, which
have other names, if they share the directory; those of another machine are left to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentos_otel import guard
from agentos_otel.errors import StorageError
from agentos_otel.journal.encoding import json_bytes
from agentos_otel.journal.record import ENDED_SPAN, STATEMENT, frame
from agentos_otel.store.applying import apply
from agentos_otel.store.dead_run import ABANDONED, DeadRun, Part, cut_torn_tail
from agentos_otel.store.live import LiveJournals, is_locked, last_statement, opened
from agentos_otel.store.root import root_of
from agentos_otel.tracing import task_file

if TYPE_CHECKING:
    from agentos_otel.tasks.store import TaskStore

_LOCK_WAIT: Final = 5.0
"""Seconds to wait for another reaper of the same run."""
_SQL_WAIT: Final = 10.0


def reap(journal_dir: Path, host: str, store: TaskStore | None) -> int:
    """Finish every dead run of this machine that nobody has finished yet; returns how many files it wrote to.

    A task store that fails, or a file that cannot be written, leaves the run for the next look.

    Args:
        journal_dir: The folder of the journals.
        host: Name of this host.
        store: The task store. Without one the open spans are abandoned, and the rest is for whoever has it.
    """
    live = LiveJournals(journal_dir / "live", host)
    reapings = [_Reaping(path, segments, live, store) for path, segments in live.dead()]
    written: set[Path] = set()
    # Twice: the root of a dead owner ends after the last record of the other dead, so these are finished first.
    for last_look in (False, True):
        for reaping in reapings:
            try:
                if reaping.attempt(last_look=last_look):
                    written.add(reaping.path)
            except StorageError as error:
                guard.warn_once("reaper", "dead runs are not finished yet: %s", error)
                return len(written)
            except OSError as error:
                key = f"reaper {reaping.path}"
                guard.warn_once(key, "the dead run %s cannot be finished: %s", reaping.path.stem, error)
            except Exception as error:  # noqa: BLE001 - what one journal holds must not keep the others waiting
                guard.failed(f"finishing the dead run {reaping.path.stem}", error)
        reapings = [reaping for reaping in reapings if reaping.owes]
    return len(written)


class _Reaping:
    """The finishing of one run."""

    def __init__(self, path: Path, segments: list[Path], live: LiveJournals, store: TaskStore | None) -> None:
        self.path = path
        self.owes = False
        self._segments = segments
        self._live = live
        self._store = store
        self._descriptor = -1
        self._last_look = False

    def attempt(self, *, last_look: bool) -> bool:
        """Finish the run if it is dead, as far as that can be done now; whether anything was written.

        `last_look`: other dead runs are finished as far as they can be; a root need not wait for them any more.
        """
        self._last_look = last_look
        with opened(self.path, os.O_RDONLY) as descriptor:
            last = last_statement(descriptor, self._segments[1:])
            if last.get("op") == "run_end" or is_locked(descriptor) or not self._live.sees(self.path, descriptor):
                return False
            if self._must_wait(last):
                return False
        with opened(self.path, os.O_RDWR | os.O_APPEND) as self._descriptor:
            if not self._lock():
                return False
            segments = self._all_segments()
            last = last_statement(self._descriptor, segments[1:])
            return last.get("op") != "run_end" and self._finish(segments, last)

    def _all_segments(self) -> list[Path]:
        """Return the segments as they are now that nobody writes any more."""
        further = self.path.parent.glob(f"{self.path.stem}.[0-9]*.otlp")
        return [self.path, *sorted(further, key=lambda path: int(path.name.split(".")[1]))]

    def _lock(self) -> bool:
        """Lock the file against other reapers; the writer is dead, so that nobody else holds it for long."""
        deadline = time.monotonic() + _LOCK_WAIT
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.01)
            else:
                return True

    def _must_wait(self, last: dict[str, Any]) -> bool:
        """Whether all that is left to do are roots that wait for other runs, each of them for one that lives."""
        if last.get("op") != "owes":
            return False
        self.owes = True
        if self._store is None:
            return True
        owed = last.get("attempts")
        if not isinstance(owed, list) or not all(map(_is_part, owed)):
            return False  # None: of a reaper without a task store
        return all(self._has_others((task, number)) for task, number in owed)

    def _finish(self, segments: list[Path], last: dict[str, Any]) -> bool:
        try:
            run = DeadRun(self.path.stem, segments)
        except StorageError as error:  # of a newer version: its own reaper will come
            guard.warn_once(f"reaper {self.path}", "the dead run %s cannot be finished: %s", self.path.stem, error)
            return False
        torn = cut_torn_tail(self._descriptor, run.borders[0])
        for segment, border in zip(segments[1:], run.borders[1:], strict=True):
            with opened(segment, os.O_RDWR) as descriptor:
                torn += cut_torn_tail(descriptor, border)
        for body in run.abandoned():
            self._append(ENDED_SPAN, body)
        owed = [list(part) for part in self._settle(run, self._store)] if self._store is not None else None
        self.owes = owed != []
        if self.owes:
            if last.get("op") != "owes" or last.get("attempts") != owed:
                self._state({"op": "owes", "run_id": run.run_id, "attempts": owed, "at": run.last_ns})
            return True
        end = {"op": "run_end", "run_id": run.run_id, "by": "reaper", "at": run.last_ns}
        self._state({**end, "torn": torn} if torn else end)
        return True

    def _settle(self, run: DeadRun, store: TaskStore) -> list[Part]:
        """Tell the task store what the run owes it, and write its roots; returns the attempts that must wait."""
        self._settle_reservation(run)
        operations = run.operations
        for task_id, number in sorted(run.parts):
            leave = {"op": "leave", "run_id": run.run_id, "task_id": task_id, "attempt": number, "at": run.last_ns}
            self._state(leave)
            operations.append(leave)
        if operations:
            apply(store, operations, timeout=_SQL_WAIT)  # what is spoilt the indexer counts
        waiting = []
        for part in sorted(run.owned | self._owned_by_rows(run, store)):
            if self._has_others(part):
                waiting.append(part)
            else:
                self._end(run, part, store)
        return waiting + [part for part in sorted(run.claims) if not self._write_root(run, part, store)]

    def _owned_by_rows(self, run: DeadRun, store: TaskStore) -> set[Part]:
        """Return the attempts that only the tables know to be this run's: a full disk took their births from here."""
        rows = {part: store.attempt(*part) for part in run.begun - run.claims.keys() - run.owned}
        return {part for part, row in rows.items() if row is not None and row["attempt_owner_run"] == run.run_id}

    def _settle_reservation(self, run: DeadRun) -> None:
        """Bear the task that `run` reserved and could not settle, unless a point has taken it over."""
        if run.reservation is not None and task_file.claim(run.reservation["file"], by=run.run_id):
            for operation in run.reservation["operations"]:
                self._say(run, operation)

    def _has_others(self, part: Part) -> bool:
        """Whether a run of the attempt lives; its root waits as long as one does."""
        if self._store is None:
            return True
        rows = self._store.rows("living_runs", task_id=part[0], attempt=part[1])
        return any(self._lives(row) for row in rows if row["run_id"] != self.path.stem)

    def _lives(self, row: dict[str, Any]) -> bool:
        path = self._live.path(row)
        with contextlib.suppress(OSError), opened(path, os.O_RDONLY) as descriptor:
            if self._last_look and self._live.sees(path, descriptor):
                return is_locked(descriptor)
        return True  # of another machine, or of another state directory on this one: it leaves by itself

    def _end(self, run: DeadRun, part: Part, store: TaskStore) -> None:
        """Claim the end of an attempt whose owner this run was."""
        row = store.attempt(*part)
        if row is None or row["attempt_ended_by"] not in (None, run.run_id):
            return  # erased, or ended by another: an end that is said too late would win where the tables are rebuilt
        end = {"op": "end", "task_id": part[0], "attempt": part[1], "run_id": run.run_id}
        end["root_span_id"] = row["attempt_root_span_id"]
        if row["attempt_ended_by"] == run.run_id:  # a full disk took its end from the journal, and the tables have it
            end.update(status=row["attempt_status"], error_type=row["attempt_error_type"], at=row["attempt_ended_ns"])
        else:
            rows = store.rows("runs_of_attempt", task_id=part[0], attempt=part[1])
            at = max([run.last_ns, *(row["left_ns"] or 0 for row in rows)])
            end.update(status="failed", error_type=ABANDONED, at=at)
        self._say(run, end)
        store.apply([end], timeout=_SQL_WAIT)

    def _write_root(self, run: DeadRun, part: Part, store: TaskStore) -> bool:
        """Write the root of an attempt whose end this run has claimed; False if the store does not know it yet."""
        row = store.attempt(*part)
        if row is None:
            return False
        if row["attempt_ended_by"] == run.run_id and row["attempt_sampled"]:
            self._append(ENDED_SPAN, root_of(row, run.resource))
        return True

    def _say(self, run: DeadRun, operation: dict[str, Any]) -> None:
        self._state(operation)
        run.say(operation, (operation["task_id"], operation.get("attempt", 0)))

    def _state(self, statement: dict[str, Any]) -> None:
        self._append(STATEMENT, json_bytes(statement))

    def _append(self, field: int, body: bytes) -> None:
        record = frame(field, body)
        if os.write(self._descriptor, record) != len(record):
            raise OSError("the disk is full")


def _is_part(value: object) -> bool:
    return isinstance(value, list) and [type(item) for item in value] == [str, int]
