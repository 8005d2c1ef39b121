"""An attempt as this process takes part in it: what its spans share, and how it is joined."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agentos_otel import semconv
from agentos_otel.context.attempt import Attempt
from agentos_otel.context.ids import new_span_id, new_trace_id
from agentos_otel.journal import encoding
from agentos_otel.tracing.operations import join_operation

if TYPE_CHECKING:
    from agentos_otel.tasks.database import Row
    from agentos_otel.tracing.runtime import Runtime


def share(attempt: Attempt) -> Attempt:
    """Encode what every span of `attempt` carries."""
    attempt.common = {
        semconv.TASK_ID: attempt.task_id,
        semconv.SESSION_ID: attempt.session_id,
        semconv.GEN_AI_CONVERSATION_ID: attempt.session_id,
        semconv.AGENTOS_TASK_ATTEMPT: attempt.number,
        **({semconv.AGENTOS_LATE: True} if attempt.late else {}),
    }
    attempt.shared = encoding.unique_attributes(attempt.common)
    attempt.identity = encoding.identity(attempt.trace_id)
    return attempt


def join(runtime: Runtime, attempt: Attempt) -> None:
    """Join an attempt that is there: from the environment, out of a message, or in the child of a fork."""
    attempt.generation = runtime.generation
    operations = [join_operation(runtime, attempt)]
    runtime.say(operations)
    results = runtime.flush_soon(operations)
    if results and results[0]:
        mark_late(attempt)


def mark_late(attempt: Attempt) -> None:
    """Let the spans that begin from now on say that the root of their trace was written before."""
    attempt.late = True
    share(attempt)


def adopted(runtime: Runtime, row: Row, now: int) -> Attempt:
    """Return the attempt to work in: the open one, or after an end the next, linked to the one before."""
    previous_trace = bytes.fromhex(row["attempt_trace_id"])
    previous_root = bytes.fromhex(row["attempt_root_span_id"])
    ended = row["attempt_ended_ns"] is not None
    attempt = Attempt(
        row["task_id"],
        row["session_id"],
        new_trace_id() if ended else previous_trace,
        new_span_id() if ended else previous_root,
        now if ended else row["attempt_started_ns"],
        root_name=row["attempt_root_name"],
        number=row["attempt"] + 1 if ended else row["attempt"],
        sampled=bool(row["attempt_sampled"]),
    )
    if ended:
        attempt.links.append((previous_trace, previous_root))
        attempt.resource = runtime.encoder.resource_attributes
    else:
        attempt.links = [
            (bytes.fromhex(trace), bytes.fromhex(span)) for trace, span in json.loads(row["attempt_links"])
        ]
        attempt.root_parent = bytes.fromhex(row["attempt_root_parent_id"])
        attempt.resource = json.loads(row["attempt_resource"])
    return attempt
