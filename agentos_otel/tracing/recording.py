"""What a point shows beside its span: ids, files, captured values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from typing import TYPE_CHECKING, Any, Final

from agentos_otel import semconv
from agentos_otel.tracing import paths
from agentos_otel.tracing.limits import MAX_TEXT, cut
from agentos_otel.tracing.span import Span, now_ns

if TYPE_CHECKING:
    from agentos_otel.model import Point

Values = Mapping[str, Any]

_ROLES: Final = {"produces": "produced", "consumes": "consumed", "joins": "consumed"}
_MAX_VALUE: Final = 256
_HASH_LIMIT: Final = 64 << 20


def joins(point: Point, arguments: Values) -> list[tuple[str, str]]:
    """Return the ids among `arguments` that may adopt the call into a task, as (kind, value), in the map's order."""
    return [(item.kind, value) for item in point.ids if item.use == "joins"
            for value in paths.ids_at(item.path, arguments)]  # fmt: skip


def refs(span: Span, point: Point, values: Values, *, produced: bool) -> list[tuple[str, str, str]]:
    """Return the ids that a call shows as (kind, value, role): of its result if `produced`, else of its arguments.

    A path that finds nothing, or on which something of the host's raised, is passed over, and counted on the span.
    """
    if not point.ids:
        return []
    lost = paths.Lost()
    found = [(item.kind, value, _ROLES[item.use]) for item in point.ids if (item.use == "produces") is produced
             for value in paths.ids_at(item.path, values, lost)]  # fmt: skip
    for key, count in ((semconv.AGENTOS_PATHS_RAISED, lost.raised), (semconv.AGENTOS_PATHS_MISSED, lost.missed)):
        if count:
            span.note(key, count + (span.own or {}).get(key, 0))
    return found


def host_task(point: Point, values: Values) -> str | None:
    """Return the host's own task id that a call shows, or None."""
    return next(paths.ids_at(point.task, values), None) if point.task else None


def values(point: Point, found: Values) -> dict[str, str | bool | int | float]:
    """Return the attributes that a point takes from a call: plain values only, long text cut."""
    shown: dict[str, str | bool | int | float] = {}
    for key, path in point.values.items():
        value = paths.resolve(path, found)
        if isinstance(value, str):
            shown[key] = value[:_MAX_VALUE]
        elif isinstance(value, (bool, int, float)):
            shown[key] = value
    return shown


def failure(point: Point, found: Values) -> tuple[str, Any] | None:
    """Return path and value where a returned value means failure."""
    for item in point.failed:
        value = paths.resolve(item.path, found)
        if value is not paths.MISSING and any(_means(value, wanted) for wanted in item.values):
            return item.path, value
    return None


def _means(value: Any, wanted: object) -> bool:
    if isinstance(wanted, str) and wanted.endswith("*"):
        return isinstance(value, str) and value.startswith(wanted[:-1])
    if wanted == ():
        return isinstance(value, (str, bytes, Sized)) and len(value) == 0
    try:
        # 0 is not False, nor 1 True: a host that returns counts beside flags means either.
        return value is wanted or (isinstance(value, bool) is isinstance(wanted, bool) and bool(value == wanted))
    except Exception:  # noqa: BLE001 - an array has no truth of its own, and a host's `__eq__` does what it likes
        return False


def artifacts(span: Span, point: Point, found: Values) -> None:
    """Record the files that a call names."""
    for path in point.artifacts:
        for name in paths.files_at(path, found):
            artifact(span, name)


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
