"""The root span of an attempt, from its row alone: whoever ends an attempt may be another process than began it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from agentos_otel import semconv
from agentos_otel.store.segments import text_of


def root_of(row: Mapping[str, Any], resource: Mapping[str, Any], links: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return the root span of an ended attempt as a `ResourceSpans` message.

    Args:
        row: What `TaskStore.attempt` gives.
        resource: Attributes of the resource that writes it, where the attempt does not say its own.
        links: (trace id, span id) beside those that the attempt was begun with.
    """
    message = ResourceSpans()
    own = json.loads(row["attempt_resource"])
    _add(message.resource, own if own and isinstance(own, dict) else resource)
    message.schema_url = semconv.SCHEMA_URL
    scope = message.scope_spans.add()
    scope.scope.name = semconv.SCOPE_NAME
    scope.schema_url = semconv.SCHEMA_URL
    span = scope.spans.add()
    span.trace_id = bytes.fromhex(row["attempt_trace_id"])
    span.span_id = bytes.fromhex(row["attempt_root_span_id"])
    span.parent_span_id = bytes.fromhex(row["attempt_root_parent_id"])
    span.name = row["attempt_root_name"]
    span.kind = Span.SPAN_KIND_INTERNAL
    span.flags = 1
    span.start_time_unix_nano = row["attempt_started_ns"]
    span.end_time_unix_nano = max(row["attempt_ended_ns"], row["attempt_started_ns"])
    values = {
        semconv.TASK_ID: row["task_id"],
        semconv.SESSION_ID: row["session_id"],
        semconv.GEN_AI_CONVERSATION_ID: row["session_id"],
        semconv.AGENTOS_TASK_ATTEMPT: row["attempt_attempt"],
        semconv.AGENTOS_KIND: "task",
        semconv.GEN_AI_OPERATION_NAME: semconv.OPERATION_INVOKE_WORKFLOW,
    }
    if row.get("host_task_id"):
        values[semconv.AGENTOS_HOST_TASK_ID] = row["host_task_id"]
    if row["attempt_status"] == "failed":
        error_type = row["attempt_error_type"] or "failed"
        values[semconv.ERROR_TYPE] = error_type
        span.status.code = Status.STATUS_CODE_ERROR
        span.status.message = error_type
    elif row["attempt_status"] == "cancelled":
        values[semconv.AGENTOS_CANCELLED] = True
    _add(span, values)
    for trace_id, span_id in (*json.loads(row["attempt_links"]), *links):
        span.links.add(trace_id=bytes.fromhex(trace_id), span_id=bytes.fromhex(span_id))
    return bytes(message.SerializeToString())


def _add(holder: Resource | Span, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        target = holder.attributes.add(key=text_of(key)).value
        if isinstance(value, bool):
            target.bool_value = value
        elif isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
            target.int_value = value
        else:
            target.string_value = text_of(value)
