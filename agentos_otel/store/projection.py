"""Tells the task store what its processes could not tell it in time, in the order in which it happened.

What has to be told waits in the index (`pending`), so that a store that is down, or a reader that is stopped, loses
nothing: the next reader goes on.
"""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from agentos_otel import guard, semconv
from agentos_otel.errors import StorageError
from agentos_otel.journal.reader import Record
from agentos_otel.journal.record import STATEMENT
from agentos_otel.store import decode
from agentos_otel.store.applying import apply
from agentos_otel.tasks.operations import APPLY

if TYPE_CHECKING:
    from agentos_otel.tasks.store import TaskStore

_AT_ONCE: Final = 100
"""Operations in one transaction: some 5 ms. A traced program waits at most 250 ms for the store."""

Fetch: TypeAlias = Callable[[int, list[tuple[int, int]]], list[Record]]
"""Returns those records of a segment (its id) that stand at some offsets, each of a size, and are not gone."""


def project(connection: sqlite3.Connection, store: TaskStore, fetch: Fetch, until_ns: int, known: int) -> None:
    """Apply what is pending.

    Args:
        connection: The index.
        store: The task store.
        fetch: Reads records.
        until_ns: When the journals were listed. What is newer may depend on what was written meanwhile into a file
            that had been looked at already, so it waits for the next reader.
        known: Newest entry that has waited since before; it is applied whatever its time says, since clocks differ.
    """
    while True:
        rows = connection.execute(
            "SELECT pending_id, segment_id, offset, size FROM pending WHERE at <= ? OR pending_id <= ? "
            "ORDER BY at, pending_id LIMIT ?",
            (until_ns, known, _AT_ONCE),
        ).fetchall()
        if not rows:
            return
        began = time.monotonic()
        found = _fetched(rows, fetch)
        told = [(row[1], operation) for row in rows for operation in _operations(found.get(row[1:3]))]
        try:
            spoilt = [(told[number][0],) for number in apply(store, [operation for _, operation in told])]
        except StorageError as error:
            guard.warn_once("projection", "the task store is not up to date: %s", error)
            return
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("DELETE FROM pending WHERE pending_id = ?", [row[:1] for row in rows])
        connection.executemany("UPDATE segments SET damaged = damaged + 1 WHERE segment_id = ?", spoilt)
        connection.execute("COMMIT")
        if len(rows) == _AT_ONCE:
            time.sleep(time.monotonic() - began)  # whoever waits for the store's lock must find it free now and then


def _fetched(rows: list[tuple[int, int, int, int]], fetch: Fetch) -> dict[tuple[int, int], Record]:
    """Return the records of pending rows by segment and offset; each file is opened once."""
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for _, segment_id, offset, size in rows:
        places[segment_id].append((offset, size))
    return {(key, record.offset): record for key, wanted in places.items() for record in fetch(key, wanted)}


def _operations(record: Record | None) -> list[dict[str, Any]]:
    if record is None:
        return []
    if record.field == STATEMENT:
        said = decode.statement(record.body)
        return [said] if said.get("op") in APPLY else []  # it may have been erased since
    try:
        return [_agent(span) for span in decode.spans(record.body) if span["kind"] == "agent"]
    except ValueError:
        return []  # who reads the task counts it


def _agent(span: dict[str, Any]) -> dict[str, Any]:
    return {
        "op": "agent",
        "task_id": span["attributes"].get(semconv.TASK_ID, ""),
        "trace_id": span["trace_id"],
        "span_id": span["span_id"],
        "name": span["attributes"].get(semconv.GEN_AI_AGENT_NAME, span["name"]),
        "status": span["status"],
        "started_ns": span["start_ns"],
        "ended_ns": span["end_ns"],
    }
