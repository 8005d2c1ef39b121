"""Journals on disk, as runs leave them, and what an index knows of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentos_otel.journal import encoding
from agentos_otel.journal.record import ENDED_SPAN, STARTED_SPAN, STATEMENT, frame
from agentos_otel.store.index import Index

DAY_NS = 86_400 * 10**9


def trace(number: int) -> str:
    return f"{number:032x}"


def span(trace_id: str, number: int, field: int = ENDED_SPAN, **attributes: Any) -> bytes:
    """Return the record of a span whose id says its number."""
    name = encoding.name(f"span {number}", 1)
    ended_ns = 0 if field == STARTED_SPAN else 2000
    head = encoding.head(bytes.fromhex(trace_id), number.to_bytes(8, "big"), b"", name, 1000, ended_ns)
    encoder = encoding.SpanEncoder({"service.instance.id": "run"})
    return encoder.record(field, [head, encoding.attributes(attributes)])


def said(**statement: Any) -> bytes:
    return frame(STATEMENT, json.dumps(statement, separators=(",", ":")).encode())


def end(run_id: str, **more: Any) -> bytes:
    return said(op="run_end", run_id=run_id, **{"dropped": 0, "at": 1, **more})


def write(journal_dir: Path, run: str, *records: bytes, host: str = "h") -> Path:
    """Append records to a run's live file."""
    path = journal_dir / "live" / host / f"{run}.otlp"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(b"".join(records))
    return path


def spans_of(index: Index, trace_id: str) -> list[int]:
    """Return the numbers of a trace's ended spans as the index finds them."""
    from agentos_otel.store import decode

    records = index.trace_records(trace_id)
    return sorted(int(s["span_id"], 16) for r in records if r.field == ENDED_SPAN for s in decode.spans(r.body))


def state_of(index: Index) -> dict[str, Any]:
    """Return all that an index knows, whatever number it gave to what and in how many readings it learnt it."""
    rows = index.connection.execute("SELECT DISTINCT trace_id FROM slices").fetchall()
    segments = index.connection.execute(
        "SELECT name, length, ended, damaged, dropped, cut, late FROM segments ORDER BY name"
    ).fetchall()
    return {
        "traces": {row[0].hex(): sorted(tuple(record) for record in index.trace_records(row[0].hex())) for row in rows},
        "segments": segments,
        "losses": index.all_losses(),
    }
