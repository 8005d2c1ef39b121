"""Journals with chosen records, written by the journal's own writer."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from agentos_otel.context.ids import new_run_id, new_span_id, new_trace_id
from agentos_otel.journal import encoding
from agentos_otel.journal.record import ENDED_SPAN, STARTED_SPAN
from agentos_otel.journal.writer import Journal

RESOURCE = {"service.name": "pipeline"}


class Run:
    """One process's journal under a state directory."""

    def __init__(self, state_dir: Path, host: str = "here") -> None:
        self.resource: dict[str, Any] = {**RESOURCE, "service.instance.id": "", "telemetry.sdk.name": "whole"}
        self.journal = Journal(state_dir / "journal" / "live" / host, new_run_id, self._hello)
        self.resource["service.instance.id"] = self.journal.run_id
        small = {key: value for key, value in self.resource.items() if key != "telemetry.sdk.name"}
        self.encoder = encoding.SpanEncoder(small)
        self._numbers = itertools.count()

    def _hello(self, run_id: str) -> dict[str, Any]:
        return {"op": "run", "run_id": run_id, "resource": {**self.resource, "service.instance.id": run_id}}

    @property
    def path(self) -> Path:
        return self.journal.path

    def span(
        self,
        name: str = "work",
        *,
        trace_id: bytes = b"",
        span_id: bytes = b"",
        parent_id: bytes = b"",
        task_id: str = "",
        error: bool = False,
        field: int = ENDED_SPAN,
        **attributes: Any,
    ) -> bytes:
        """Write one span and return its id."""
        span_id = span_id or new_span_id()
        at = 10**18 + next(self._numbers) * 1000
        values = {**({"task_id": task_id} if task_id else {}), **attributes}
        parts = [encoding.attributes(values), encoding.status(2 if error else 0, "it failed" if error else "")]
        named = encoding.name(name, 1)
        end = 0 if field == STARTED_SPAN else at + 500
        head = encoding.head(trace_id or new_trace_id(), span_id, parent_id, named, at, end)
        self.journal.append(self.encoder.record(field, [head, *parts]))
        return span_id

    def spans(self, count: int, **values: Any) -> list[bytes]:
        return [self.span(**values) for _ in range(count)]

    def begin(self, task_id: str, **changes: Any) -> tuple[bytes, bytes]:
        """Write an attempt's birth and return its trace and root ids."""
        trace_id, root_id = new_trace_id(), new_span_id()
        birth = {
            "op": "attempt",
            "task_id": task_id,
            "attempt": 1,
            "trace_id": trace_id.hex(),
            "root_span_id": root_id.hex(),
            "session_id": f"auto_{task_id}",
            "sampled": True,
            "at": 10**18,
        }
        self.journal.state({**birth, **changes})
        return trace_id, root_id

    def say(self, **statement: Any) -> None:
        self.journal.state(statement)

    def end(self) -> None:
        self.journal.close({"op": "run_end", "run_id": self.journal.run_id, "dropped": 0, "at": 1})
