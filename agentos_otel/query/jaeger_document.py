"""A task as Jaeger knows it, in the shape of `task.schema.json`: what its spans say of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from agentos_otel import semconv
from agentos_otel.context.ids import new_session_id
from agentos_otel.query import linking
from agentos_otel.query.document import SCHEMA_VERSION
from agentos_otel.store import decode
from agentos_otel.store.segments import count_of

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans


def spans_of(resources: Iterable[ResourceSpans]) -> list[dict[str, Any]]:
    """Return the spans by start, each once: a backend may hold twice what was sent twice."""
    spans: dict[tuple[str, str], dict[str, Any]] = {}
    for resource in resources:
        for span in decode.spans(resource.SerializeToString()):
            spans.setdefault((span["trace_id"], span["span_id"]), span)
    return sorted(spans.values(), key=lambda span: (span["start_ns"], span["span_id"]))


def is_marker(span: Mapping[str, Any]) -> bool:
    """Return whether a span only says that a task has started: it is made for viewers, and is no span of the run."""
    return bool(span["name"] == semconv.TASK_STARTED_SPAN)


def document_of(task_id: str, resources: list[ResourceSpans]) -> dict[str, Any]:
    """Return the document of a task from the spans of all its traces.

    A backend has neither log records nor artifacts nor the life cycle between two spans. A task whose root span is not
    there has not ended, as far as anybody knows there.
    """
    known = _own(spans_of(resources), task_id)
    traces = list(dict.fromkeys(span["trace_id"] for span in known))
    attempts = [_attempt(task_id, [span for span in known if span["trace_id"] == trace]) for trace in traces]
    spans = [span for span in known if not is_marker(span)]
    linking.link_attempts(attempts, spans)
    refs = _refs(spans)
    commits = _commits(spans)
    task = _task(task_id, known, attempts, refs, commits)
    linking.give_session(task, spans)
    return {
        "schema_version": SCHEMA_VERSION,
        "task": task,
        "attempts": attempts,
        "runs": _runs(resources),
        "spans": spans,
        "refs": refs,
        "artifacts": [],
        "commits": commits,
        "logs": [],
        "losses": {
            "dropped": 0,
            "damaged": 0,
            "failed_to_send": 0,
            "late": sum(bool(span["attributes"].get(semconv.AGENTOS_LATE)) for span in spans),
            "cut": sum(count_of(span["attributes"].get(semconv.AGENTOS_CUT)) for span in spans),
        },
    }


def _own(spans: list[dict[str, Any]], task_id: str) -> list[dict[str, Any]]:
    """Leave out what is in the same traces and of another task; in a foreign trace, all that is not of this one."""
    foreign = any(span["kind"] == "task" and span["parent_span_id"] for span in spans)
    return [span for span in spans if span["attributes"].get(semconv.TASK_ID, None if foreign else task_id) == task_id]


def _attempt(task_id: str, spans: list[dict[str, Any]]) -> dict[str, Any]:
    present = {span["span_id"] for span in spans}
    roots = [span for span in spans if span["kind"] == "task" and span["parent_span_id"] not in present]
    root = roots[0] if roots else None
    missing = Counter(s["parent_span_id"] for s in spans if s["parent_span_id"] and s["parent_span_id"] not in present)
    reserved = missing.most_common(1)[0][0] if missing else spans[0]["span_id"]
    status = {"error": "failed", "abandoned": "failed", "cancelled": "cancelled"}
    return {
        "task_id": task_id,
        "attempt": root["attempt"] if root else spans[0]["attempt"],
        "trace_id": spans[0]["trace_id"],
        "root_span_id": root["span_id"] if root else reserved,
        "status": status.get(root["status"], "completed") if root else "open",
        "error_type": root["error_type"] if root else None,
        "name": root["name"] if root else "task",
        "started_ns": root["start_ns"] if root else spans[0]["start_ns"],
        "ended_ns": root["end_ns"] if root else None,
        "sampled": True,
        "links": json.dumps([(link["trace_id"], link["span_id"]) for link in (root["links"] if root else ())]),
    }


def _session(task_id: str, spans: list[dict[str, Any]]) -> str:
    """Return the session that the host gave, or else the made-up one: some spans may be older than the former."""
    found = [str(span["attributes"][semconv.SESSION_ID]) for span in spans if semconv.SESSION_ID in span["attributes"]]
    return next((session for session in found if session != new_session_id(task_id)), found[0] if found else "")


def _task(
    task_id: str,
    spans: list[dict[str, Any]],
    attempts: list[dict[str, Any]],
    refs: list[dict[str, Any]],
    commits: list[dict[str, Any]],
) -> dict[str, Any]:
    last = attempts[-1]
    ended = last["ended_ns"]
    stages = [span["stage"] for span in spans if span["kind"] == "stage" and span["stage"] in semconv.PHASES]
    phase = "completed" if last["status"] == "completed" else stages[-1] if stages else ""
    latest = {ref["kind"]: ref["value"] for ref in refs if ref["role"] == "produced"}
    return {
        "task_id": task_id,
        "session_id": _session(task_id, spans),
        "name": last["name"].removeprefix(semconv.SPAN_NAME_PREFIX["task"]),
        "status": "executing" if ended is None else last["status"],
        "phase": phase,
        "namespace": "",
        "created_ns": attempts[0]["started_ns"],
        "updated_ns": ended or max(span["end_ns"] or span["start_ns"] for span in spans),
        "ended_ns": ended,
        "error_type": last["error_type"],
        "trace_id": last["trace_id"],
        **{kind: latest.get(kind) for kind in semconv.ID_COLUMNS},
        "agent_ids": sorted({str(span["attributes"][semconv.GEN_AI_AGENT_NAME]) for span in spans
                             if span["kind"] == "agent" and semconv.GEN_AI_AGENT_NAME in span["attributes"]}),
        "commit_hash": commits[-1]["sha"] if commits else None,
        "metadata": {},
    }  # fmt: skip


def _refs(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the ids; a span does not say whether it made or used one, so the first that has it has made it."""
    refs, seen = [], set()
    for span in spans:
        for key, value in span["attributes"].items():
            if not key.startswith(semconv.AGENTOS_ID_PREFIX):
                continue
            kind = key.removeprefix(semconv.AGENTOS_ID_PREFIX)
            refs.append(
                {
                    "kind": kind,
                    "value": str(value),
                    "role": "consumed" if (kind, value) in seen else "produced",
                    "stage": span["stage"],
                    "span_id": span["span_id"],
                    "seen_ns": span["end_ns"] or span["start_ns"],
                }
            )
            seen.add((kind, value))
    return refs


def _commits(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each commit once, oldest first: of the spans around it that have it too, the first to end has made it."""
    having = [span for span in spans if semconv.VCS_HEAD_REVISION in span["attributes"]]
    commits: dict[str, dict[str, Any]] = {}
    for span in sorted(having, key=lambda span: span["end_ns"] or span["start_ns"]):
        sha = str(span["attributes"][semconv.VCS_HEAD_REVISION])
        commit = {
            "sha": sha,
            "repository": "",
            "branch": span["attributes"].get(semconv.VCS_HEAD_NAME),
            "trace_id": span["trace_id"],
            "span_id": span["span_id"],
            "rewritten_to": None,
            "trailers": {},
            "subject": None,
            "seen_ns": span["end_ns"] or span["start_ns"],
        }
        commits.setdefault(sha, commit)
    return list(commits.values())


def _runs(resources: list[ResourceSpans]) -> list[dict[str, Any]]:
    """Return the processes; that one has sent spans does not say whether it still lives."""
    runs: dict[str, dict[str, Any]] = {}
    for resource in resources:
        values = {pair.key: decode.value_of(pair.value) for pair in resource.resource.attributes}
        run_id = str(values.get(semconv.SERVICE_INSTANCE_ID, ""))
        spans = [span for scope in resource.scope_spans for span in scope.spans]
        if not run_id or not spans:
            continue
        start = min(span.start_time_unix_nano for span in spans)
        end = max(span.end_time_unix_nano for span in spans)
        run = runs.setdefault(
            run_id,
            {
                "run_id": run_id,
                "attempt": 1,
                "host": str(values.get(semconv.HOST_NAME, "")),
                "pid": int(values.get(semconv.PROCESS_PID) or 0),
                "program": str(values.get(semconv.SERVICE_NAME, "")),
                "started_ns": start,
                "left_ns": end,
                "state": "ended",
                "late": False,
            },
        )
        run["started_ns"], run["left_ns"] = min(run["started_ns"], start), max(run["left_ns"], end)
    return sorted(runs.values(), key=lambda run: run["started_ns"])
