"""What a point shows beside its span: ids, files, captured values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from agentos_otel import semconv
from agentos_otel.tracing import paths
from agentos_otel.tracing.limits import MAX_TEXT, cut
from agentos_otel.tracing.span import Span, now_ns

if TYPE_CHECKING:
    from agentos_otel.model import Point

Values = Mapping[str, Any]

_ROLES: Final = {"produces": "produced", "consumes": "consumed", "joins": "consumed"}
_HASH_LIMIT: Final = 64 << 20


def joins(point: Point, arguments: Values) -> list[tuple[str, str]]:
    """Return the ids among `arguments` that may adopt the call into a task, as (kind, value), in the map's order."""
    return [(item.kind, value) for item in point.ids if item.use == "joins"
            for value in paths.ids_at(item.path, arguments)]  # fmt: skip


def refs(point: Point, values: Values, *, produced: bool) -> list[tuple[str, str, str]]:
    """Return the ids that a call shows as (kind, value, role): of its result if `produced`, else of its arguments."""
    return [(item.kind, value, _ROLES[item.use]) for item in point.ids if (item.use == "produces") is produced
            for value in paths.ids_at(item.path, values)]  # fmt: skip


def refs_operation(span: Span, found: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    """Return the operation that writes ids seen at a span, and put them on the span."""
    found = list(found)
    for kind, value, _ in found:
        span.note(semconv.AGENTOS_ID_PREFIX + kind, value)
    return {
        "op": "refs",
        "task_id": span.attempt.task_id,
        "refs": found,
        "stage": span.stage,
        "trace_id": span.attempt.trace_hex,
        "span_id": span.span_id.hex(),
        "at": now_ns(),
    }


def artifact(span: Span, name: str) -> None:
    """Record a file that a stage left: absolute path, size and sha256 as they are now."""
    import hashlib
    import os
    from pathlib import Path

    path = Path(os.path.abspath(name))  # noqa: PTH100 - resolve() would follow links, which the user did not name
    size, digest = None, None
    try:
        size = path.stat().st_size
        if size <= _HASH_LIMIT:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        pass  # named but not there: recorded so, and reported as missing
    operation = {
        "op": "artifact",
        "task_id": span.attempt.task_id,
        "path": str(path),
        "stage": span.stage,
        "size": size,
        "sha256": digest,
        "span_id": span.span_id.hex(),
        "at": now_ns(),
    }
    span.runtime.state([operation])


def capture_arguments(span: Span, arguments: Values) -> None:
    """Keep the arguments of a call on its span."""
    for key, value in arguments.items():
        if key not in ("self", "cls"):
            _capture(span, semconv.AGENTOS_ARGUMENT_PREFIX + key, value, key)


def capture_result(span: Span, result: Any) -> None:
    """Keep the result of a call on its span."""
    if result is not None:
        _capture(span, semconv.AGENTOS_RESULT, result)


def _capture(span: Span, key: str, value: Any, name: str = "") -> None:
    """Keep a value as text, cut before it is serialised: a 20 MB string is never copied whole."""
    from agentos_otel.tracing.capture import text_of

    text, was_cut = text_of(value, MAX_TEXT, name)
    text, cut_again = cut(text)
    span.cut += int(was_cut) | cut_again
    span.note(key, text)
