"""Journal records as plain values, by the official protobuf classes."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from agentos_otel import semconv


def value_of(value: Any) -> Any:
    """Return the Python value of an `AnyValue`."""
    which = value.WhichOneof("value")
    if which == "array_value":
        return [value_of(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return {item.key: value_of(item.value) for item in value.kvlist_value.values}
    if which == "bytes_value":
        return f"<{len(value.bytes_value)} bytes>"
    return getattr(value, which) if which else None


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: value_of(pair.value) for pair in pairs}


def statement(body: bytes) -> dict[str, Any]:
    """Return a statement (field 12); one that is no JSON object with an operation's name says nothing."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) and isinstance(value.get("op"), str) else {}


def _decoded(kind: Any, body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise ValueError(str(error)) from error


def _status(span: Any, attributes: dict[str, Any]) -> str:
    if not span.end_time_unix_nano:
        return "running"
    if attributes.get(semconv.ERROR_TYPE) == "abandoned":
        return "abandoned"
    if attributes.get(semconv.AGENTOS_CANCELLED):
        return "cancelled"
    return "error" if span.status.code == 2 else "ok"


def spans(body: bytes) -> list[dict[str, Any]]:
    """Return the spans of a `ResourceSpans` message in the shape of `task.schema.json`.

    Raises:
        ValueError: The body is no such message.
    """
    message = _decoded(ResourceSpans, body)
    run_id = next((p.value.string_value for p in message.resource.attributes if p.key == "service.instance.id"), "")
    return [_span(span, run_id) for scope in message.scope_spans for span in scope.spans]


def _span(span: Any, run_id: str) -> dict[str, Any]:
    attributes = _attributes(span.attributes)
    status = _status(span, attributes)
    kind = attributes.pop(semconv.AGENTOS_KIND, "other")
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() or None,
        "name": span.name,
        "kind": kind,
        "stage": attributes.get(semconv.AGENTOS_STAGE_NAME),
        "status": status,
        "start_ns": span.start_time_unix_nano,
        "end_ns": span.end_time_unix_nano or None,
        "attempt": attributes.get(semconv.AGENTOS_TASK_ATTEMPT, 1),
        "run_id": run_id,
        "error_type": attributes.get(semconv.ERROR_TYPE),
        "attributes": attributes,
        "events": [
            {"name": event.name, "time_ns": event.time_unix_nano, "attributes": _attributes(event.attributes)}
            for event in span.events
        ],
        "links": [{"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex()} for link in span.links],
    }


def logs(body: bytes) -> list[dict[str, Any]]:
    """Return the log records of a `ResourceLogs` message in the shape of `task.schema.json`.

    Raises:
        ValueError: The body is no such message.
    """
    found = []
    for scope in _decoded(ResourceLogs, body).scope_logs:
        for record in scope.log_records:
            attributes = _attributes(record.attributes)
            found.append(
                {
                    "time_ns": record.time_unix_nano,
                    "severity": record.severity_text,
                    "body": value_of(record.body) or "",
                    "logger": attributes.pop(semconv.LOG_LOGGER_NAME, ""),
                    "trace_id": record.trace_id.hex(),
                    "span_id": record.span_id.hex(),
                    "attributes": attributes,
                }
            )
    return found
