"""`task started`: a span of 1 µs that shows a running task to viewers that know finished spans alone.

It is a child of the root that is still open, made from what the journal says at an attempt's birth, before any work. It
stands in no journal. Zero length would get a warning in Jaeger.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agentos_otel import semconv
from agentos_otel.export.fold import Piece
from agentos_otel.journal import encoding
from agentos_otel.tracing import task_file

LENGTH_NS: Final = 1_000
RESERVED_S: Final = 10.0
_SCOPE: Final = encoding.scope_fields(semconv.SCOPE_NAME, "", semconv.SCHEMA_URL)


def marker(birth: Mapping[str, Any], resource: bytes) -> Piece | None:
    """Return the marker of an attempt, or None where it is not sampled or not whole.

    Args:
        birth: The statement that wrote the attempt (`"op": "attempt"`).
        resource: The run's resource, as the first field of a `ResourceSpans`.
    """
    try:
        trace_id, root_id = bytes.fromhex(birth["trace_id"]), bytes.fromhex(birth["root_span_id"])
        task_id, at, attempt = str(birth["task_id"]), int(birth["at"]), int(birth["attempt"])
    except (KeyError, TypeError, ValueError):
        return None
    if not birth.get("sampled", True) or len(trace_id) != 16 or len(root_id) != 8:
        return None
    # Always the same id: sent again after a crash it is the same span to a server, not a second one.
    span_id = hashlib.blake2b(trace_id + root_id, digest_size=8, person=b"task started").digest()
    session_id = str(birth.get("session_id") or "")
    attributes = {
        semconv.TASK_ID: task_id,
        **({semconv.SESSION_ID: session_id, semconv.GEN_AI_CONVERSATION_ID: session_id} if session_id else {}),
        semconv.AGENTOS_TASK_ATTEMPT: attempt,
        semconv.AGENTOS_KIND: "marker",
    }
    named = encoding.name(semconv.TASK_STARTED_SPAN, 1)
    head = encoding.head(trace_id, span_id, root_id, named, at, at + LENGTH_NS)
    return Piece(resource, _SCOPE, b"", encoding.field(2, head + encoding.attributes(attributes)))


class Reservations:
    """Tasks that `run` has reserved and that nothing has taken over yet.

    A command that is no Python of ours never bears the task: `run` does, at its end. For hours nothing else would show
    it. Some seconds tell whether a point of the command takes the ids over (it says so itself) or gives them up.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[float, str, Mapping[str, Any], bytes]] = []

    def heard(self, statement: Mapping[str, Any], resource: bytes) -> None:
        """Take in the statement of a reservation (`"op": "reserved"`)."""
        for operation in statement.get("operations") or ():
            if isinstance(operation, dict) and operation.get("op") == "attempt":
                due = time.monotonic() + RESERVED_S
                self._waiting.append((due, str(statement.get("file") or ""), operation, resource))

    def due(self, *, now: float | None = None) -> Iterator[tuple[Mapping[str, Any], bytes]]:
        """Yield births and resources of those that are still reserved after `RESERVED_S` seconds."""
        now = time.monotonic() if now is None else now
        due, self._waiting = [w for w in self._waiting if w[0] <= now], [w for w in self._waiting if w[0] > now]
        for _, file, birth, resource in due:
            if task_file.read(file) and not task_file.is_claimed(file):
                yield birth, resource
