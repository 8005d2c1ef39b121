"""Commits made inside a task: those of children from the file of their hooks, GitPython's in process."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span

from agentos_otel import guard, semconv
from agentos_otel.context.current import current_attempt
from agentos_otel.context.namespace import namespace_of
from agentos_otel.correlation.commit_file import CommitLine, read_commit_lines
from agentos_otel.correlation.trailers import Identity, stamp
from agentos_otel.model import Point
from agentos_otel.tracing import entered as calls
from agentos_otel.tracing import paths, points
from agentos_otel.tracing import runtime as runtimes
from agentos_otel.tracing.carriers import commits_path
from agentos_otel.tracing.plan import Plan
from agentos_otel.tracing.span import Span, now_ns

if TYPE_CHECKING:
    from types import ModuleType

    from agentos_otel.model import Rewrites

_COMMIT = Plan(Point("commit"), "commit")
_offsets: dict[Path, int] = {}


def operation_of(line: CommitLine) -> dict[str, Any]:
    """Return the operation that writes a hook's line into the task store."""
    operation = {
        "op": line.kind,
        "task_id": line.task_id,
        "sha": line.sha,
        "repository": line.repository,
        "branch": line.branch or None,
        "trace_id": line.trace_id or None,
        "span_id": line.span_id or None,
        "at": line.seen_ns,
    }
    if line.kind == "rewrite":
        operation.update(sha=line.old_sha, new_sha=line.sha)
    return operation


def take_in(span: Span) -> None:
    """Journal the commits that the hooks of this span's children have appended, and put the last sha on the span."""
    path = commits_path(span.runtime.options.state_dir, span.runtime.run_id)
    lines, _offsets[path] = read_commit_lines(path, _offsets.get(path, 0))
    for line in lines:
        if line.task_id == span.attempt.task_id:
            span.note(semconv.VCS_HEAD_REVISION, line.sha)
            if line.branch:
                span.note(semconv.VCS_HEAD_NAME, line.branch)
    if lines:
        span.runtime.state([operation_of(line) for line in lines])


def map_commits(span: Span, rewrites: Rewrites, values: Mapping[str, Any]) -> None:
    """Journal which commits of the task became which, as a file of the host's says: patches applied elsewhere."""
    folder = paths.resolve(rewrites.repository, values) if rewrites.repository else Path.cwd()
    repository = namespace_of(Path(folder)) if isinstance(folder, (str, Path)) else ""
    for name in paths.files_at(rewrites.file, values):
        try:
            found = {"file": json.loads(Path(name).read_bytes())}
        except (OSError, ValueError):
            continue  # the call made none, or says it in another form: there is nothing to map
        both = [paths.resolve(f"file.{path}", found) for path in (rewrites.old, rewrites.new)]
        pairs = zip(*both, strict=False) if all(isinstance(shas, list) for shas in both) else ()
        for old, new in pairs:
            if isinstance(old, str) and isinstance(new, str) and old != new:
                span.runtime.state([_rewrite(span, repository, old, new)])
                span.note(semconv.VCS_HEAD_REVISION, new)


def _rewrite(span: Span, repository: str, old: str, new: str) -> dict[str, Any]:
    return {
        "op": "rewrite",
        "task_id": span.attempt.task_id,
        "sha": old,
        "new_sha": new,
        "repository": repository,
        "branch": None,
        "trace_id": span.attempt.trace_hex,
        "span_id": span.span_id.hex(),
        "at": now_ns(),
    }


def install() -> None:
    """Read what children's hooks leave, and stamp GitPython's commits; idempotent."""
    calls.commit_reader = take_in
    calls.commit_mapper = map_commits
    if "git.index.base" in sys.modules:
        _wrap_gitpython(sys.modules["git.index.base"])
        return
    import wrapt

    wrapt.register_post_import_hook(_wrap_gitpython, "git.index.base")


def _wrap_gitpython(module: ModuleType) -> None:
    """Wrap `IndexFile.commit`, the one place where GitPython makes a commit without the git program."""
    bare = module.IndexFile.commit
    if hasattr(bare, "__agentos_otel_point__"):
        return
    import functools

    @functools.wraps(bare)
    def commit(self: Any, message: str, *args: Any, **kwargs: Any) -> Any:
        entered = points.enter(_COMMIT) if current_attempt() is not None else None
        if entered is None:
            return bare(self, message, *args, **kwargs)
        stamped = guard.guarded("stamping a commit", _stamped, message)
        try:
            made = bare(self, message if stamped is None else stamped, *args, **kwargs)
        except BaseException as error:
            entered.leave(error)
            raise
        guard.guarded("recording a commit", _record, entered.span, self, made)
        entered.leave(None)
        return made

    commit.__agentos_otel_point__ = _COMMIT.point  # type: ignore[attr-defined]
    module.IndexFile.commit = commit


def _stamped(message: str) -> str:
    attempt, runtime = current_attempt(), runtimes.installed()
    if attempt is None or runtime is None or not runtime.options.trailers or not isinstance(message, str):
        return message
    trace_id = attempt.trace_hex if attempt.sampled else ""
    return stamp(message, Identity(attempt.task_id, attempt.session_id, trace_id))


def _record(span: Span, index: Any, made: Any) -> None:
    head = index.repo.head
    branch = None if head.is_detached else head.ref.name
    span.note(semconv.VCS_HEAD_REVISION, made.hexsha)
    span.note(semconv.VCS_HEAD_NAME, branch or "")
    current = get_current_span()
    holder = current if type(current) is Span else span
    operation = {
        "op": "commit",
        "task_id": span.attempt.task_id,
        "sha": made.hexsha,
        "repository": str(Path(index.repo.common_dir).resolve()),
        "branch": branch,
        "trace_id": span.attempt.trace_hex,
        "span_id": holder.span_id.hex(),
        "at": now_ns(),
    }
    span.runtime.state([operation])
    span.runtime.flush()
