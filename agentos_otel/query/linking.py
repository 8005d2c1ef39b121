"""What is known only after a span was written: the next attempt, the host's session, that a run stayed beyond the end.

A written span is final. So an earlier attempt cannot name the later one, nor a span the session that its host told
later or the end that came while it ran; the document says all three.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from agentos_otel import semconv
from agentos_otel.context.ids import new_session_id


def link_attempts(attempts: list[dict[str, Any]], spans: list[dict[str, Any]]) -> None:
    """Replace the `links` of the attempts' rows by links both ways, and give the earlier roots theirs.

    Args:
        attempts: Rows of attempts, those of one task in order.
        spans: Spans of their traces.
    """
    for attempt in attempts:
        given = json.loads(attempt["links"])
        attempt["links"] = [{"trace_id": trace_id, "span_id": span_id} for trace_id, span_id in given]
    known = {(span["trace_id"], span["span_id"]): span for span in spans}
    for earlier, later in itertools.pairwise(attempts):
        if earlier["task_id"] == later["task_id"]:
            link = {"trace_id": later["trace_id"], "span_id": later["root_span_id"]}
            root = known.get((earlier["trace_id"], earlier["root_span_id"]))
            for links in (earlier["links"], *([root["links"]] if root else [])):
                if link not in links:
                    links.append(link)


def mark_late(attempts: list[dict[str, Any]], runs: list[dict[str, Any]], spans: list[dict[str, Any]]) -> None:
    """Set `agentos.late` on the spans of late runs that had not ended when the root of their trace was written."""
    ended = {attempt["trace_id"]: attempt["ended_ns"] for attempt in attempts if attempt["ended_ns"] is not None}
    roots = {(attempt["trace_id"], attempt["root_span_id"]) for attempt in attempts}
    traces = {(attempt["task_id"], attempt["attempt"]): attempt["trace_id"] for attempt in attempts}
    late = {(run["run_id"], traces.get((run["task_id"], run["attempt"]))) for run in runs if run["late"]}
    for span in spans:
        if (span["run_id"], span["trace_id"]) in late and (span["trace_id"], span["span_id"]) not in roots:
            end = ended.get(span["trace_id"])
            if end is not None and (span["end_ns"] is None or span["end_ns"] > end):
                span["attributes"][semconv.AGENTOS_LATE] = True


def give_session(task: Mapping[str, Any], records: Iterable[dict[str, Any]]) -> None:
    """Put the task's session on spans and log records that were written when only a made-up one was known.

    Args:
        task: Row of the task.
        records: What its traces have.
    """
    made_up = new_session_id(task["task_id"])
    if task["session_id"] == made_up:
        return
    for record in records:
        for key in (semconv.SESSION_ID, semconv.GEN_AI_CONVERSATION_ID):
            if record["attributes"].get(key) == made_up:
                record["attributes"][key] = task["session_id"]
