"""What happens when a point is entered and left: the span, the ids it shows, the task it belongs to."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import attach, detach, get_current, set_value
from opentelemetry.trace import get_current_span, set_span_in_context

from agentos_otel import guard, semconv
from agentos_otel.context.current import TASK_KEY
from agentos_otel.model import Point
from agentos_otel.tracing import joining, paths
from agentos_otel.tracing import runtime as runtimes
from agentos_otel.tracing.limits import MAX_TEXT, cut
from agentos_otel.tracing.span import Span, now_ns, qualified_name

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context

    from agentos_otel.context.attempt import Attempt
    from agentos_otel.tracing.runtime import Runtime

Values = Mapping[str, Any]

_ROLES: Final = {"produces": "produced", "consumes": "consumed", "joins": "consumed"}
_HASH_LIMIT: Final = 64 << 20

commit_reader: Callable[[Span], None] | None = None
"""Set by `correlation.commits`: takes the commits in that children of a span made."""


class Entered:
    """One point that was entered: its span, attached in the OpenTelemetry context until `leave`."""

    __slots__ = ("arguments", "context", "outermost", "owner", "plain", "point", "span", "token")

    def __init__(self, point: Point, span: Span, arguments: Values, *, outermost: bool, owner: bool) -> None:
        self.point = point
        self.span = span
        self.arguments = arguments
        self.outermost = outermost
        self.owner = owner
        # Nothing is to be read off the result, so that the end of the call is the end of the span and no more.
        self.plain = not (outermost or point.ids or point.artifacts or point.failed or point.task or point.capture)
        context = set_span_in_context(span)
        if outermost:
            context = set_value(TASK_KEY, span.attempt, context)
        self.context: Context = context
        self.token: Token[Context] | None = None

    def attach(self) -> None:
        """Make the span current."""
        self.token = attach(self.context)

    def detach(self) -> None:
        """Give the context back as it was; remembered, so that a generator resumes where it stood."""
        if self.token is not None:
            self.context = get_current()
            token, self.token = self.token, None
            detach(token)

    def leave(self, error: BaseException | None, result: Any = None) -> None:
        """End the span and do what a point's end does; never raises (the wrapper re-raises the host's exception)."""
        self.detach()
        if error is None and self.plain and not self.span.children_launched and not self.span.runtime.options.capture:
            self.span.end()
            return
        try:
            _leave(self, error, result)
        except Exception as failure:  # noqa: BLE001 - the host goes on
            guard.failed(f"leaving {self.span.name!r}", failure)


def enter(
    point: Point, name: str, arguments: Values, function: str = "", described: Values | None = None
) -> Entered | None:
    """Enter a point; None where tracing is off, or where a failure of ours leaves the call untraced.

    Args:
        point: What the call is.
        name: Its name, for the span.
        arguments: The call's arguments by name, as far as the point's paths need them.
        function: Qualified name of the function (`code.function.name`).
        described: What `describe` gives for this point, where it is the same at each call.
    """
    runtime = runtimes.current()
    if runtime is None:
        return None
    try:
        return _enter(runtime, point, name, arguments, function, described)
    except Exception as failure:  # noqa: BLE001 - the host goes on
        guard.failed(f"entering {name!r}", failure)
        return None


def _enter(
    runtime: Runtime, point: Point, name: str, arguments: Values, function: str, described: Values | None
) -> Entered:
    if point.name_from:
        given = paths.resolve(point.name_from, arguments)
        name = given if isinstance(given, str) and given else name
    span_name = semconv.SPAN_NAME_PREFIX[point.kind] + ("" if point.kind == "commit" else name)
    context = get_current()
    attempt: Attempt | None = context.get(TASK_KEY)  # type: ignore[assignment]
    outermost = attempt is None or (point.new and point.kind == "task")
    if outermost:
        root_name = span_name if point.kind != "stage" else f"task {name}"
        joins = [
            (item.kind, value)
            for item in point.ids
            if item.use == "joins"
            for value in paths.ids_at(item.path, arguments)
        ]
        session = _session(point, arguments)
        attempt = joining.find(runtime, point, root_name, joins, session, context)
        attempt.depth += 1
    assert attempt is not None  # noqa: S101 - for the type checker
    attributes = dict(described) if described is not None else describe(point, name, function)
    owner = outermost and attempt.owned and attempt.depth == 1
    if owner:
        span = Span(runtime, attempt, attempt.root_name, point.kind, b"", attributes, attempt.root_id)
        span.start_ns = attempt.root_start_ns
        span.started = True
    else:
        span = Span(runtime, attempt, span_name, point.kind, _parent(attempt, context, outermost), attributes)
    if owner or (outermost and not span.parent_id):
        span.links = _links(attempt)
    if runtime.options.capture if point.capture is None else point.capture:
        _capture(span, arguments)
    entered = Entered(point, span, arguments, outermost=outermost, owner=owner)
    if point.kind in ("stage", "agent"):
        span.write_start()
    if point.kind == "stage" or entered.owner or point.ids or point.task:
        _state_and_refs(runtime, entered, name)
    entered.attach()
    return entered


def _links(attempt: Attempt) -> Any:
    from agentos_otel.journal.encoding import Link

    return [Link(trace_id, span_id, {}) for trace_id, span_id in attempt.links] or None


def _parent(attempt: Attempt, context: Context, outermost: bool) -> bytes:
    """Return the id to hang under, writing its start first, so that it exists for whoever looks now."""
    if not outermost:
        parent = get_current_span(context)
        if type(parent) is Span and parent.attempt is attempt:
            if not parent.started:
                parent.write_start()
            return parent.span_id
        foreign = parent.get_span_context()
        if foreign.is_valid and foreign.trace_id == int.from_bytes(attempt.trace_id, "big"):
            return foreign.span_id.to_bytes(8, "big")
    return attempt.remote_parent


def describe(point: Point, name: str, function: str = "") -> dict[str, Any]:
    """Return the attributes that a point's span has from its start."""
    kind, attributes = point.kind, dict(point.attributes)
    if kind == "stage":
        attributes[semconv.AGENTOS_STAGE_NAME] = name
    elif kind == "agent":
        attributes[semconv.GEN_AI_OPERATION_NAME] = semconv.OPERATION_INVOKE_AGENT
        attributes[semconv.GEN_AI_AGENT_NAME] = name
    elif kind == "tool":
        attributes[semconv.GEN_AI_OPERATION_NAME] = semconv.OPERATION_EXECUTE_TOOL
        attributes[semconv.GEN_AI_TOOL_NAME] = name
    elif kind == "task":
        attributes[semconv.GEN_AI_OPERATION_NAME] = semconv.OPERATION_INVOKE_WORKFLOW
        attributes[semconv.GEN_AI_WORKFLOW_NAME] = name
    if function:
        attributes[semconv.CODE_FUNCTION_NAME] = function
    return attributes


def _session(point: Point, arguments: Values) -> str | None:
    given = paths.resolve(point.session, arguments) if point.session else None
    return given if isinstance(given, str) and given else None


def _state_and_refs(runtime: Runtime, entered: Entered, name: str) -> None:
    """Journal what the entry says: phase and status at a stage, the ids that came with the arguments."""
    point, span = entered.point, entered.span
    attempt = span.attempt
    operations: list[dict[str, Any]] = []
    if point.kind == "stage":
        phase = name if name in semconv.PHASES else ""
        status = joining.PHASE_STATUS.get(name, "executing")
        if attempt.state != (status, phase):
            attempt.state = (status, phase)
            operations.append(
                {"op": "state", "task_id": attempt.task_id, "status": status, "phase": phase, "at": span.start_ns}
            )
    elif entered.owner:
        operations.append({"op": "state", "task_id": attempt.task_id, "status": "executing", "at": span.start_ns})
    refs = [
        (item.kind, value, _ROLES[item.use])
        for item in point.ids
        if item.use != "produces"
        for value in paths.ids_at(item.path, entered.arguments)
    ]
    if point.task and (host := next(iter(paths.ids_at(point.task, entered.arguments)), None)):
        refs.append((semconv.REF_HOST_TASK, host, "consumed"))
        span.attributes[semconv.AGENTOS_HOST_TASK_ID] = host
    if refs:
        operations.append(refs_operation(span, refs))
    if operations:
        runtime.state(operations)


def refs_operation(span: Span, refs: list[tuple[str, str, str]]) -> dict[str, Any]:
    """Return the operation that writes ids seen at a span, and put them on the span."""
    for kind, value, _ in refs:
        span.attributes[semconv.AGENTOS_ID_PREFIX + kind] = value
    return {
        "op": "refs",
        "task_id": span.attempt.task_id,
        "refs": refs,
        "stage": span.attributes.get(semconv.AGENTOS_STAGE_NAME, ""),
        "trace_id": span.attempt.trace_hex,
        "span_id": span.span_id.hex(),
        "at": now_ns(),
    }


def _leave(entered: Entered, error: BaseException | None, result: Any) -> None:
    point, span = entered.point, entered.span
    runtime, attempt = span.runtime, span.attempt
    if span.generation != runtime.generation:
        return  # a fork's child: the span is its parent's to end
    failed = _judge(entered, error, result)
    if error is None and not entered.span.end_ns:
        _results(runtime, entered, result)
    if span.children_launched and commit_reader is not None:
        commit_reader(span)
    if not entered.outermost:
        span.end()
        if runtime.pending and error is None and any(item.use == "produces" for item in point.ids):
            runtime.flush()
        return
    attempt.depth -= 1
    if attempt.depth == 0 and attempt.task_file:
        # A child that outlives its stage commits without trailers rather than for a task that may have ended.
        with suppress(FileNotFoundError):
            os.unlink(attempt.task_file)  # noqa: PTH108 - pathlib costs 5 ms of import
        attempt.task_file = ""
    if entered.owner:
        status = "cancelled" if semconv.AGENTOS_CANCELLED in span.attributes else "failed" if failed else "completed"
        joining.end_attempt(runtime, attempt, status, span.error_type or None, span)
        return
    span.end()
    if point.ends and not failed and error is None:
        joining.end_attempt(runtime, attempt, "completed")
    elif attempt.depth == 0 and attempt is not joining.inherited_attempt():
        runtime.state([joining.leave_operation(runtime, attempt)])
    runtime.flush()


def _judge(entered: Entered, error: BaseException | None, result: Any) -> bool:
    """Set the span's status; whether the point failed."""
    span, point = entered.span, entered.point
    if error is not None:
        name = qualified_name(type(error))
        bases = {f"{base.__module__}:{base.__qualname__}" for base in type(error).__mro__}
        if bases.intersection(point.control_flow):
            span.add_event(semconv.AGENTOS_CONTROL_FLOW_EVENT, {semconv.EXCEPTION_TYPE: name})
            return False
        span.fail(error)
        return semconv.AGENTOS_CANCELLED not in span.attributes
    if point.failed:
        values = {**entered.arguments, "result": result}
        for failure in point.failed:
            value = paths.resolve(failure.path, values)
            if any(value is item or value == item for item in failure.values):
                span.fail_with("returned_failure", f"{failure.path} = {cut(repr(value))[0]}")
                return True
    return bool(span.error_type)


def _results(runtime: Runtime, entered: Entered, result: Any) -> None:
    """Journal the ids and artifacts of a call that returned."""
    point, span = entered.point, entered.span
    values = {**entered.arguments, "result": result} if point.ids or point.artifacts or point.task else {}
    refs = [
        (item.kind, value, "produced")
        for item in point.ids
        if item.use == "produces"
        for value in paths.ids_at(item.path, values)
    ]
    if refs:
        runtime.state([refs_operation(span, refs)])
    for path in point.artifacts:
        for name in paths.files_at(path, values):
            artifact(span, name)
    if result is not None and (runtime.options.capture if point.capture is None else point.capture):
        _capture_value(span, semconv.AGENTOS_RESULT, result)


def artifact(span: Span, name: str) -> None:
    """Record a file that a stage left: absolute path, size and sha256 as they are now."""
    import hashlib
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
        "stage": span.attributes.get(semconv.AGENTOS_STAGE_NAME, ""),
        "size": size,
        "sha256": digest,
        "span_id": span.span_id.hex(),
        "at": now_ns(),
    }
    span.runtime.state([operation])


def _capture(span: Span, arguments: Values) -> None:
    for key, value in arguments.items():
        if key not in ("self", "cls"):
            _capture_value(span, semconv.AGENTOS_ARGUMENT_PREFIX + key, value)


def _capture_value(span: Span, key: str, value: Any) -> None:
    """Keep a value as text, cut before it is serialised: a 20 MB string is never copied whole."""
    from agentos_otel.tracing.capture import text_of

    text, was_cut = text_of(value, MAX_TEXT)
    text, cut_again = cut(text)
    span.cut += int(was_cut) | cut_again
    span.attributes[key] = text
