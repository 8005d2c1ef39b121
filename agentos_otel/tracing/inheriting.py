"""What the environment gives a process: a task to join, or ids that a `run` has reserved (design 3.2, 3.9)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentos_otel import guard
from agentos_otel.context.attempt import Attempt
from agentos_otel.context.ids import new_session_id
from agentos_otel.tracing import task_file
from agentos_otel.tracing.attempts import adopted, join, share
from agentos_otel.tracing.fork_lock import ForkLock
from agentos_otel.tracing.operations import attempt_operation, leave_operation
from agentos_otel.tracing.roots import write_root_start
from agentos_otel.tracing.span import now_ns

if TYPE_CHECKING:
    from agentos_otel.tracing.runtime import Runtime

_inherited: dict[int, Attempt] = {}  # by pid: what the environment gave this process
_lock = ForkLock()


def from_environment(runtime: Runtime) -> Attempt | None:
    """Return the attempt that the environment names; one object for the process, joined once."""
    inherited = runtime.options.inherited
    if inherited is None:
        return None
    with _lock:
        attempt = _inherited.get(os.getpid())
        if attempt is None:
            attempt = _inherit(runtime, inherited.task_file)
            if attempt is None:
                return None
            _inherited.clear()
            _inherited[os.getpid()] = attempt
            join(runtime, attempt)
        return attempt


def inherited_attempt() -> Attempt | None:
    """Return the attempt that the environment gave this process, if a point has asked for it."""
    return _inherited.get(os.getpid())


def leave_inherited(runtime: Runtime) -> None:
    """Leave the attempt that the environment gave this process, at its exit."""
    attempt = _inherited.pop(os.getpid(), None)
    if attempt is not None:
        runtime.state([leave_operation(runtime, attempt)])
        runtime.flush()


def _inherit(runtime: Runtime, path: str) -> Attempt | None:
    inherited = runtime.options.inherited
    if inherited is None:
        return None
    attempt = task_file.attempt_of(task_file.read(path)) if path else None
    if attempt is None or (inherited.trace_id and attempt.trace_hex != inherited.trace_id):
        attempt = _look_up(runtime, inherited.task_id) if not inherited.trace_id else _bare(runtime)
    if attempt is not None:
        attempt.generation = runtime.generation
        if inherited.span_id and attempt.trace_hex == inherited.trace_id:
            attempt.remote_parent = bytes.fromhex(inherited.span_id)
        share(attempt)
    return attempt


def _bare(runtime: Runtime) -> Attempt | None:
    """Return an attempt from the ids in the environment alone; its root is for others to write."""
    inherited = runtime.options.inherited
    if inherited is None:
        return None
    span_id = bytes.fromhex(inherited.span_id)
    session = inherited.session_id or new_session_id(inherited.task_id)
    trace_id = bytes.fromhex(inherited.trace_id)
    return Attempt(inherited.task_id, session, trace_id, span_id, now_ns(), sampled=inherited.sampled)


def _look_up(runtime: Runtime, task_id: str) -> Attempt | None:
    """Join a task by its id alone (`AGENTOS_OTEL_TASK_ID`), at its root; a task that ended gets a new attempt."""
    store = runtime.store
    row = runtime.sql(lambda wait: store.latest(task_id, wait)) if store else None
    if row is None or row.get("attempt_trace_id") is None:
        return None
    attempt = adopted(runtime, row, now_ns())
    if attempt.number != row["attempt"]:
        attempt.generation = runtime.generation
        share(attempt)
        write_root_start(runtime, attempt)
        runtime.state([attempt_operation(runtime, attempt, "")])
    return attempt


def join_task(runtime: Runtime, task_id: str) -> Attempt | None:
    """Join the task with that id for `run --task ID`; None if the store has none."""
    return _look_up(runtime, task_id)


def reservation(runtime: Runtime) -> Attempt | None:
    """Return the attempt that a `run` around this process has reserved and nobody has taken over yet."""
    inherited = runtime.options.inherited
    if inherited is None or not inherited.task_file or task_file.is_claimed(inherited.task_file):
        return None
    fields = task_file.read(inherited.task_file)
    return task_file.attempt_of(fields) if fields.get("reserved") == "1" else None


def joins_named(runtime: Runtime) -> bool:
    """Whether this is the first point under `run --task ID`: it joins even where the map says that it begins."""
    inherited = runtime.options.inherited
    if inherited is None or task_file.read(inherited.task_file).get("joined") != "1":
        return False
    return task_file.claim(inherited.task_file)


def take(runtime: Runtime) -> bool:
    """Take the reservation over; exactly one caller gets True, in whatever process."""
    inherited = runtime.options.inherited
    return inherited is not None and task_file.claim(inherited.task_file)


def discard(runtime: Runtime, joined: Attempt) -> None:
    """Give the reservation up for the task that was joined: commits of this command carry that one's ids."""
    inherited = runtime.options.inherited
    if inherited is not None and task_file.claim(inherited.task_file):
        from pathlib import Path

        path = Path(inherited.task_file)
        commits = task_file.read(path).get("commits", "")
        guard.guarded("redirecting the task file", task_file.write, path, task_file.fields_of(joined, commits))
