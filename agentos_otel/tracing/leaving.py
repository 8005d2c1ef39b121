"""What the end of a call does beside ending its span: its status, ids and files, and the end of its task."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agentos_otel import semconv
from agentos_otel.tracing import joining, paths, recording
from agentos_otel.tracing.limits import cut
from agentos_otel.tracing.span import Span, qualified_name

if TYPE_CHECKING:
    from agentos_otel.tracing.points import Entered

commit_reader: Callable[[Span], None] | None = None
"""Set by `correlation.commits`: takes the commits in that children of a span made."""


def leave(entered: Entered, error: BaseException | None, result: Any) -> None:
    """End the span of a call, and its task where the call is the one that ends it."""
    point, span = entered.plan.point, entered.span
    runtime, attempt = span.runtime, span.attempt
    if span.generation != runtime.generation:
        return  # a fork's child: the span is its parent's to end
    failed = _judge(entered, error, result)
    if error is None and not span.end_ns:
        _results(entered, result)
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
        status = "cancelled" if span.cancelled else "failed" if failed else "completed"
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
    span, point = entered.span, entered.plan.point
    if error is not None:
        bases = {f"{base.__module__}:{base.__qualname__}" for base in type(error).__mro__}
        if bases.intersection(point.control_flow):
            span.add_event(semconv.AGENTOS_CONTROL_FLOW_EVENT, {semconv.EXCEPTION_TYPE: qualified_name(type(error))})
            return False
        span.fail(error)
        return not span.cancelled
    if point.failed:
        values = {**entered.arguments, "result": result}
        for failure in point.failed:
            value = paths.resolve(failure.path, values)
            if any(value is item or value == item for item in failure.values):
                span.fail_with("returned_failure", f"{failure.path} = {cut(repr(value))[0]}")
                return True
    return bool(span.error_type)


def _results(entered: Entered, result: Any) -> None:
    """Journal the ids and artifacts of a call that returned."""
    point, span = entered.plan.point, entered.span
    if point.ids or point.artifacts:
        values = {**entered.arguments, "result": result}
        if refs := recording.refs(point, values, produced=True):
            span.runtime.state([recording.refs_operation(span, refs)])
        for path in point.artifacts:
            for name in paths.files_at(path, values):
                recording.artifact(span, name)
    if entered.captures:
        recording.capture_result(span, result)
