"""A task and its whole run as one documented structure (`task.schema.json`): what `--json` prints."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from agentos_otel import semconv
from agentos_otel.journal.record import ENDED_SPANS, LOG_RECORD
from agentos_otel.query import linking
from agentos_otel.query.workspace import Workspace
from agentos_otel.store import decode, live
from agentos_otel.store.segments import count_of

SCHEMA_VERSION: Final = 1
_HASH_LIMIT: Final = 64 << 20


def task_part(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a task as the document has it."""
    hidden = ("deleted_ns", "owner_run", "attempt", "merged_into", "without_store")
    task = {key: value for key, value in row.items() if key not in hidden}
    task["agent_ids"] = json.loads(row["agent_ids"])
    task["metadata"] = json.loads(row["metadata"])
    return task


def document(workspace: Workspace, task_id: str) -> dict[str, Any]:
    """Return everything that is known of a task, and of those that were merged into it.

    Raises:
        NotFoundError: There is no such task.
    """
    row = workspace.store.task(task_id)
    ids = [task_id, *(merged["task_id"] for merged in workspace.store.rows("merged_from", task_id=task_id))]

    def rows(query: str) -> list[dict[str, Any]]:
        return [row for each in ids for row in workspace.store.rows(query, task_id=each)]

    attempts, runs = rows("list_attempts"), rows("list_runs")
    traces = [attempt["trace_id"] for attempt in attempts]
    spans, logs, unreadable = _records(workspace, traces)
    losses = workspace.index.losses((run["run_id"] for run in runs), traces)
    if any(attempt["root_parent_id"] for attempt in attempts):  # a foreign trace, which other tasks may be in too
        spans, logs = ([item for item in found if item["attributes"].get("task_id") in ids] for found in (spans, logs))
    linking.link_attempts(attempts, spans)
    linking.mark_late(attempts, runs, spans)
    linking.give_session(row, (*spans, *logs))
    return {
        "schema_version": SCHEMA_VERSION,
        "task": task_part(row),
        "attempts": [_attempt(attempt) for attempt in attempts],
        "runs": [_run(workspace, run) for run in runs],
        "spans": spans,
        "refs": [_without(ref, "task_id", "trace_id") for ref in rows("list_refs")],
        "artifacts": [artifact_part(item) for item in rows("list_artifacts")],
        "commits": [_commit(item) for item in rows("list_commits")],
        "logs": logs,
        "losses": {
            **losses,
            "damaged": losses["damaged"] + unreadable,
            "cut": sum(count_of(record["attributes"].get(semconv.AGENTOS_CUT)) for record in (*spans, *logs)),
            "failed_to_send": workspace.failed_to_send(traces),
            "late": sum(bool(span["attributes"].get(semconv.AGENTOS_LATE)) for span in spans),
        },
    }


def _without(row: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in keys}


def _attempt(row: dict[str, Any]) -> dict[str, Any]:
    attempt = {key: row[key] for key in ("task_id", "attempt", "trace_id", "root_span_id", "status", "error_type")}
    attempt["name"] = row["root_name"]
    attempt["status"] = row["status"] or "open"
    return {
        **attempt,
        "started_ns": row["started_ns"],
        "ended_ns": row["ended_ns"],
        "sampled": bool(row["sampled"]),
        "links": row["links"],
    }


def _run(workspace: Workspace, row: dict[str, Any]) -> dict[str, Any]:
    path = workspace.journal_dir / "live" / row["host"] / f"{row['run_id']}.otlp"
    state = "ended" if row["left_ns"] is not None else "live" if live.is_alive(path) else "dead"
    run = {key: row[key] for key in ("run_id", "attempt", "host", "pid", "program", "started_ns", "left_ns")}
    return {**run, "state": state, "late": bool(row["late"])}


def _records(workspace: Workspace, traces: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    """Return spans and logs of the traces, and the number of records that cannot be decoded.

    An ended span replaces its start, and ids come once.
    """
    spans: dict[tuple[str, str], dict[str, Any]] = {}
    logs: list[dict[str, Any]] = []
    unreadable = 0
    for trace_id in traces:
        for record in workspace.index.trace_records(trace_id):
            try:
                if record.field == LOG_RECORD:
                    logs += decode.logs(record.body)
                    continue
                found = decode.spans(record.body)
            except ValueError:
                unreadable += 1
                continue
            for span in found:
                key = (span["trace_id"], span["span_id"])
                if record.field in ENDED_SPANS or key not in spans:
                    spans[key] = span
    ordered = sorted(spans.values(), key=lambda span: (span["start_ns"], span["span_id"]))
    return ordered, sorted(logs, key=lambda log: log["time_ns"]), unreadable


def artifact_part(row: dict[str, Any]) -> dict[str, Any]:
    """Return an artifact with its state now: present, missing or changed."""
    artifact = _without(row, "task_id")
    path = Path(row["path"])
    try:
        size = path.stat().st_size
        if size != row["size"]:
            state = "changed"
        elif row["sha256"] is not None and size <= _HASH_LIMIT:
            with path.open("rb") as file:
                state = "present" if hashlib.file_digest(file, "sha256").hexdigest() == row["sha256"] else "changed"
        else:
            state = "present"
    except (OSError, ValueError):  # no file can have that name
        state = "missing"
    return {**artifact, "state": state}


def _commit(row: dict[str, Any]) -> dict[str, Any]:
    from agentos_otel.correlation import trailers
    from agentos_otel.query.commits import message_of

    message = message_of(row["repository"], row["sha"])
    subject = message.splitlines()[0] if message else None
    return {**_without(row, "task_id"), "trailers": trailers.read(message or ""), "subject": subject}
