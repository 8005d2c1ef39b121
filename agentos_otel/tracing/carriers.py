"""Carry the current task to another process or thread, in a mapping or in a child's environment (design 3.9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry.context import attach, detach, get_current, set_value
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, get_current_span, set_span_in_context

from agentos_otel import guard, semconv
from agentos_otel.context.attempt import Attempt
from agentos_otel.context.current import TASK_KEY, current_attempt
from agentos_otel.context.ids import new_session_id
from agentos_otel.tracing import attempts, task_file
from agentos_otel.tracing import runtime as runtimes
from agentos_otel.tracing.runtime import ForeignParent, Inherited, Runtime
from agentos_otel.tracing.span import Span, now_ns

if TYPE_CHECKING:
    from pathlib import Path

_HEX: Final = frozenset("0123456789abcdefABCDEF")


def parse_traceparent(value: str) -> tuple[str, str, bool] | None:
    """Return trace id, span id and the sampled bit of a W3C `traceparent`, or None if it is not one."""
    parts = value.strip().split("-")
    if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2]:
        return None
    if not _HEX.issuperset("".join(parts[:4])):  # int() takes signs, blanks, underscores and foreign digits too
        return None
    trace_id, span_id, flags = (int(part, 16) for part in parts[1:4])
    if not trace_id or not span_id or parts[0] == "ff":
        return None
    return parts[1].lower(), parts[2].lower(), bool(flags & 1)


def format_traceparent(trace_hex: str, span_hex: str, *, sampled: bool) -> str:
    """Return a `traceparent` whose flags hold the sampled bit alone: Codex drops a parent with `-03` (seen)."""
    return f"00-{trace_hex}-{span_hex}-{'01' if sampled else '00'}"


def foreign_parent(environ: Mapping[str, str]) -> ForeignParent | None:
    """Return the span that a `TRACEPARENT` in `environ` names."""
    parsed = parse_traceparent(environ.get(semconv.W3C_TRACEPARENT, ""))
    return ForeignParent(bytes.fromhex(parsed[0]), bytes.fromhex(parsed[1]), parsed[2]) if parsed else None


def inherited_from(environ: Mapping[str, str]) -> Inherited | None:
    """Return what our variables in `environ` say, or None where they say nothing that can be used."""
    task_id = environ.get(semconv.ENV_TASK_ID, "")
    if not task_id:
        return None
    parent = parse_traceparent(environ.get(semconv.ENV_TRACEPARENT, ""))
    trace_id, span_id, sampled = parent or ("", "", True)
    foreign = parse_traceparent(environ.get(semconv.W3C_TRACEPARENT, ""))
    if parent and foreign and foreign[0] == trace_id:
        span_id = foreign[1]  # somebody between us (an agent with traces of its own) is nearer than we are
    session_id, file = environ.get(semconv.ENV_SESSION_ID, ""), environ.get(semconv.ENV_TASK_FILE, "")
    return Inherited(task_id, session_id, trace_id, span_id, sampled, file)


def inject(carrier: MutableMapping[str, str] | None = None) -> MutableMapping[str, str]:
    """Write the current task and span into `carrier` (a new dict if None) and return it.

    The keys are our environment variables, so that the same mapping serves a queue's message and a child's `env`.
    """
    carrier = {} if carrier is None else carrier
    attempt = current_attempt()
    if attempt is not None:
        span = get_current_span()
        context = span.get_span_context()
        span_id = attempt.root_id
        if context.is_valid and context.trace_id == int.from_bytes(attempt.trace_id, "big"):
            span_id = context.span_id.to_bytes(8, "big")
        if type(span) is Span:
            guard.guarded("starting a span", span.write_start)
        parent = format_traceparent(attempt.trace_hex, span_id.hex(), sampled=attempt.sampled)
        carrier[semconv.ENV_TASK_ID] = attempt.task_id
        carrier[semconv.ENV_SESSION_ID] = attempt.session_id
        carrier[semconv.ENV_TRACEPARENT] = carrier[semconv.W3C_TRACEPARENT] = parent
    return carrier


@contextmanager
def extract(carrier: Mapping[str, str]) -> Iterator[None]:
    """Make the task that `carrier` names the current one in this block; nothing changes where it names none."""
    context = guard.guarded("extracting a task", _extracted, carrier)
    if context is None:
        yield
        return
    token = attach(context)
    try:
        yield
    finally:
        detach(token)


def _extracted(carrier: Mapping[str, str]) -> object:
    inherited, runtime = inherited_from(carrier), runtimes.current()
    if inherited is None or runtime is None or not inherited.trace_id:
        return None
    session = inherited.session_id or new_session_id(inherited.task_id)
    trace_id, span_id = bytes.fromhex(inherited.trace_id), bytes.fromhex(inherited.span_id)
    attempt = Attempt(inherited.task_id, session, trace_id, span_id, now_ns(), sampled=inherited.sampled)
    attempts.share(attempt)
    flags = TraceFlags(TraceFlags.SAMPLED if inherited.sampled else TraceFlags.DEFAULT)
    remote = SpanContext(int(inherited.trace_id, 16), int(inherited.span_id, 16), is_remote=True, trace_flags=flags)
    return set_value(TASK_KEY, attempt, set_span_in_context(NonRecordingSpan(remote), get_current()))


def task_file_of(runtime: Runtime, attempt: Attempt) -> str:
    """Return the task file of `attempt` for a child that is being launched, writing it the first time."""
    if not attempt.task_file:
        directory = runtime.options.state_dir / task_file.DIRECTORY
        path = directory / f"{attempt.task_id}.{runtime.run_id}"
        task_file.write(path, task_file.fields_of(attempt, commits_path(runtime.options.state_dir, runtime.run_id)))
        attempt.task_file = str(path)
    return attempt.task_file


def commits_path(state_dir: Path, run_id: str) -> Path:
    """Return the file that hooks of a run's children append commits to."""
    directory = state_dir / "commits"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory / f"{run_id}.tsv"
