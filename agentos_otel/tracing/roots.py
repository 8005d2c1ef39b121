"""The root span of an attempt: reserved before any work, written once, by whoever ends the attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_otel import semconv
from agentos_otel.journal import encoding
from agentos_otel.tracing.attempts import mark_late
from agentos_otel.tracing.fork_lock import ForkLock
from agentos_otel.tracing.operations import leave_operation
from agentos_otel.tracing.span import Shape, Span, now_ns, qualified_name

if TYPE_CHECKING:
    from agentos_otel.context.attempt import Attempt
    from agentos_otel.tracing.runtime import Runtime

_lock = ForkLock()


def root_span(runtime: Runtime, attempt: Attempt) -> Span:
    """Return the root of an attempt under its reserved ids, not yet ended."""
    shape = Shape(attempt.root_name, "task", {semconv.GEN_AI_OPERATION_NAME: semconv.OPERATION_INVOKE_WORKFLOW})
    span = Span(runtime, attempt, shape, attempt.root_parent, attempt.root_id)
    span.start_ns = attempt.root_start_ns
    if attempt.resource and attempt.resource is not runtime.encoder.resource_attributes:
        span.encoder = encoding.SpanEncoder(attempt.resource)  # the root is the bearer's, whoever writes it
    span.own_links = [encoding.Link(trace_id, span_id, {}) for trace_id, span_id in attempt.links]
    return span


def write_root_start(runtime: Runtime, attempt: Attempt) -> None:
    """Write the reserved root's start record: whatever happens, its id and its start are known."""
    span = root_span(runtime, attempt)
    span.note(semconv.AGENTOS_RESERVED, True)
    span.write_start()
    runtime.open.discard(span.span_id)  # it may stay reserved when this process ends


def end_attempt(
    runtime: Runtime, attempt: Attempt, status: str, error: BaseException | str | None = None, root: Span | None = None
) -> None:
    """Claim the end of `attempt`; whoever wins the claim writes the root, which is final.

    `root` is the open root span of an owner; a reserved root is written from the attempt alone.

    A store that does not answer cannot refuse. An owner ends its task all the same; any other process leaves the root
    to the reaper, which carries the claim out once this one has exited, since two of them might both write it.
    """
    error_type = error if isinstance(error, str) else qualified_name(type(error)) if error is not None else ""
    with _lock:
        ended, attempt.ended = attempt.ended, True
    at = max(now_ns(), attempt.root_start_ns)  # the clock of the host that began it may be ahead
    end = {
        "op": "end",
        "task_id": attempt.task_id,
        "attempt": attempt.number,
        "root_span_id": attempt.root_id.hex(),
        "status": status,
        "error_type": error_type or None,
        "run_id": runtime.run_id,
        "at": at,
    }
    operations = [*([] if ended else [end]), leave_operation(runtime, attempt)]
    runtime.say(operations)
    results = runtime.flush(operations)
    runtime.open.discard(attempt.root_id)
    if ended or (results and results[0] is False):
        return  # another thread, or another process
    if results is None and not attempt.owned:
        runtime.open.add(attempt.root_id)
        return
    runtime.task_ended = True
    if root is None:
        root = root_span(runtime, attempt)
        if attempt.host_task_id:
            root.note(semconv.AGENTOS_HOST_TASK_ID, attempt.host_task_id)
        if status == "failed":
            root.fail_with(error_type, error_type)
        elif status == "cancelled":
            root.note(semconv.AGENTOS_CANCELLED, True)
    dropped = runtime.journal.dropped
    root.end(at)
    if runtime.journal.dropped != dropped:
        runtime.open.add(attempt.root_id)  # no room for it: left to the reaper too
    mark_late(attempt)
