"""The way of a record from the journal to what is shown: any bodies in intact records, read, told and put together."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Final

from agentos_otel import guard
from agentos_otel.journal.record import FIELDS, frame
from agentos_otel.query.document import document
from agentos_otel.query.workspace import Workspace
from agentos_otel.tasks.database import open_database
from agentos_otel.tasks.store import TaskStore

_KEPT: Final = ("facts", "schema_migrations")
guard.raise_failures = True  # what a reader would pass over with a warning is found here too
_spaces: list[Workspace] = []


def pack(records: list[tuple[int, bytes]]) -> bytes:
    """Return records as the target's input: for each its field's place, two bytes of length, and its body."""
    return b"".join(bytes([FIELDS.index(field)]) + len(body).to_bytes(2, "big") + body for field, body in records)


def unpack(data: bytes) -> list[tuple[int, bytes]]:
    """Return the records of an input; any bytes are some."""
    records, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 3], "big")
        records.append((FIELDS[data[at] % len(FIELDS)], data[at + 3 : at + 3 + size]))
        at += 3 + size
    return records


def fuzz_store(data: bytes) -> None:
    """Records with any body: read into the index, told to the task store, shown as documents; nothing is raised."""
    space = _empty_space()
    journal = space.journal_dir / "live/h/0123456789abcdef.otlp"
    journal.parent.mkdir(parents=True, exist_ok=True)
    journal.write_bytes(b"".join(frame(*record) for record in unpack(data)))
    space.refresh()
    waiting = space.index.connection.execute("SELECT COUNT(*) FROM pending").fetchone()[0]
    assert not waiting, "the task store takes what is good, and what is not is set aside"
    for (trace_id,) in space.index.connection.execute("SELECT trace_id FROM slices").fetchall():
        assert list(space.index.trace_records(trace_id.hex()))
    for row in space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=20):
        json.dumps(document(space, row["task_id"]))


def _empty_space() -> Workspace:
    """Return a workspace that knows nothing. One is kept and emptied: to open another costs as much as ten inputs."""
    if not _spaces:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-store-"))
        _spaces.append(Workspace(folder, "h", TaskStore(open_database(f"sqlite:///{folder / 'tasks.db'}", 60))))
    space = _spaces[0]
    space.store.identity()  # which makes the tables
    with contextlib.closing(sqlite3.connect(space.state_dir / "tasks.db", isolation_level=None)) as tasks:
        for connection in (space.index.connection, tasks):
            _empty(connection)
    return space


def _empty(connection: sqlite3.Connection) -> None:
    named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.execute("BEGIN IMMEDIATE")
    for (table,) in named:
        if not table.startswith("sqlite_") and table not in _KEPT:
            connection.execute(f"DELETE FROM {table}")
    connection.execute("COMMIT")
