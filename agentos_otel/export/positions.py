"""How far the journals are sent: the forwarder's own SQLite file, resumed by whichever process comes next."""

from __future__ import annotations

import sqlite3
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agentos_otel.errors import StorageError
from agentos_otel.export.claim import FILE, claim
from agentos_otel.journal import reader

VERSION: Final = 1
COUNTERS: Final = ("sent", "retried", "set_aside", "rejected", "left_out", "lost")
"""Spans sent; requests tried again; spans refused by the server and set aside; spans that the server took a request
without; spans of tasks that AGENTOS_OTEL_KEEP left out; spans that were held back and whose journal is gone."""
REFUSED_WAIT_S: Final = 7 * 24 * 3600
"""How long a file with refused spans stays where it is: a week to repair the cause."""
_PLACE: Final = struct.Struct("<QI")


@dataclass(frozen=True, slots=True)
class Parked:
    """Records of one trace in one file that are held back; `reason` is empty where they wait for their task's end."""

    task_id: str
    trace_id: bytes
    path: str
    places: tuple[tuple[int, int], ...]
    spans: int
    reason: str = ""
    id: int = 0


@dataclass(slots=True)
class Step:
    """One change, written in one transaction: all of it stands, or none."""

    offsets: dict[str, int] = field(default_factory=dict)
    park: list[Parked] = field(default_factory=list)
    unpark: list[int] = field(default_factory=list)
    decisions: dict[str, bool | None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)


class Positions:
    """The forwarder's file, for the one process that sends and for those that ask.

    Args:
        path: The file; made (0600) where it is missing.

    Raises:
        StorageError: It cannot be opened, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            claim(path.parent)
            self._connection = sqlite3.connect(path, timeout=5, isolation_level=None)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise self._failure(error) from error
        self._version = -1
        self._offsets: dict[str, int] = {}

    def _prepare(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise StorageError(f"{self._path} was written by a newer agentos-otel: upgrade this one, or delete it")
        # Not synced at each commit: after a power cut a batch may be sent twice, and the journal knows no more either.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        if version < VERSION:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("BEGIN IMMEDIATE")
            if self._connection.execute("PRAGMA user_version").fetchone()[0] < VERSION:
                lines = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8").splitlines()
                for statement in "\n".join(line.split("--")[0] for line in lines).split(";"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {VERSION}")
            self._connection.execute("COMMIT")

    def _failure(self, error: Exception) -> StorageError:
        return StorageError(f"{self._path} cannot be used ({error}): delete it, what the journals hold is sent again")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # --- reading ---

    def _rows(self, sql: str, *parameters: Any) -> list[Any]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def offsets(self) -> dict[str, int]:
        """Return the offset of every file that is known; kept until another process has written."""
        version = self._rows("PRAGMA data_version")[0][0]
        if version != self._version:
            self._offsets = dict(self._rows("SELECT path, offset FROM files"))
            self._version = version
        return self._offsets

    def state(self) -> dict[str, Any]:
        """Return the counters (missing ones as 0) and where the retry schedule stands."""
        return {**dict.fromkeys(COUNTERS, 0), **dict(self._rows("SELECT name, value FROM state"))}

    def parked(self, *, task_id: str = "", refused: bool = False) -> Iterator[Parked]:
        """Yield what is held back: of one task, or everything that the server has refused."""
        where = "reason != ''" if refused else "reason = '' AND task_id = ?"
        sql = f"SELECT task_id, trace_id, path, places, spans, reason, id FROM parked WHERE {where} ORDER BY id"
        for task, trace, path, places, *rest in self._rows(sql, *([] if refused else [task_id])):
            yield Parked(task, trace, path, tuple(_PLACE.iter_unpack(places)), *rest)

    def waiting_tasks(self) -> list[str]:
        """Return the tasks whose spans wait for their end."""
        return [row[0] for row in self._rows("SELECT DISTINCT task_id FROM parked WHERE reason = ''")]

    def decision(self, task_id: str) -> bool | None:
        """Return whether a task is kept, or None where that is open."""
        rows = self._rows("SELECT kept FROM decisions WHERE task_id = ?", task_id)
        return bool(rows[0][0]) if rows and rows[0][0] is not None else None

    def over(self) -> list[str]:
        """Return the tasks that have ended and are not decided on."""
        return [row[0] for row in self._rows("SELECT task_id FROM decisions WHERE kept IS NULL")]

    def refusals(self) -> list[tuple[str, int]]:
        """Return why spans were set aside, and how many, most first."""
        return self._rows("SELECT reason, SUM(spans) FROM parked WHERE reason != '' GROUP BY reason ORDER BY 2 DESC")

    def failed_to_send(self, trace_ids: Iterable[str]) -> int:
        """Return how many spans of these traces (hex digits) the server has refused."""
        sql = "SELECT COALESCE(SUM(spans), 0) FROM parked WHERE reason != '' AND trace_id = ?"
        return sum(int(self._rows(sql, bytes.fromhex(trace_id))[0][0]) for trace_id in set(trace_ids))

    def is_done(self, journal_dir: Path, path: Path) -> bool:
        """Whether nothing of a journal file, whose run has ended, is still to be sent.

        What the server has refused lately may be sent again once its cause is repaired, and is found by where it lies.
        """
        name = path.relative_to(journal_dir).as_posix()
        offset = self.offsets().get(name, 0)
        held = "SELECT 1 FROM parked WHERE path = ? AND (reason = '' OR at > ?) LIMIT 1"
        if self._rows(held, name, int(time.time()) - REFUSED_WAIT_S):
            return False
        try:
            # What is left may be a torn record at the end, which is nothing to send.
            return path.stat().st_size <= offset or not reader.read_file(path, offset, final=True).records
        except (OSError, StorageError):
            return False

    # --- writing ---

    def take(self, step: Step) -> None:
        """Write one step.

        Raises:
            StorageError: The file cannot be written; nothing of the step stands.
        """
        if step == Step():
            return
        run = self._connection.execute
        try:
            run("BEGIN IMMEDIATE")
            try:
                self._write(step)
                run("COMMIT")
            except BaseException:
                run("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._failure(error) from error
        self._offsets.update(step.offsets)

    def _write(self, step: Step) -> None:
        many, now = self._connection.executemany, int(time.time())
        many("INSERT OR REPLACE INTO files VALUES (?, ?)", step.offsets.items())
        many(
            "INSERT INTO parked (task_id, trace_id, path, places, spans, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(p.task_id, p.trace_id, p.path, _packed(p.places), p.spans, p.reason, now) for p in step.park],
        )
        many("DELETE FROM parked WHERE id = ?", [(number,) for number in step.unpark])
        many("INSERT OR REPLACE INTO decisions VALUES (?, ?)", step.decisions.items())
        many(
            "INSERT INTO state VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            [(name, count) for name, count in step.counts.items() if count],
        )
        many("INSERT OR REPLACE INTO state VALUES (?, ?)", step.state.items())

    def forget(self, gone: Iterable[str]) -> None:
        """Drop the positions of files that are no more (merged or pruned once they were done)."""
        try:
            self._connection.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in gone])
        except sqlite3.Error as error:
            raise self._failure(error) from error
        self._version = -1


def _packed(places: Iterable[tuple[int, int]]) -> bytes:
    return b"".join(_PLACE.pack(offset, size) for offset, size in places)


def read(state_dir: Path) -> Positions | None:
    """Return the positions of a state directory, or None where nothing was ever to be sent from it.

    Raises:
        StorageError: The file cannot be opened, or was written by a newer version.
    """
    path = state_dir / FILE
    return Positions(path) if path.exists() else None


def describe(state: Mapping[str, Any]) -> str:
    """Return the counters as a line for people."""
    return ", ".join(f"{name.replace('_', ' ')} {state[name]}" for name in COUNTERS)
