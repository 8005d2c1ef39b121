"""The lines that commit hooks append: one a commit, or one a rewrite."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TASK: Final = re.compile(r"[A-Za-z0-9_.:-]+")
_SECONDS: Final = re.compile(r"[0-9]{1,12}")  # not str.isdigit: "²" is a digit, and int() raises on it


@dataclass(frozen=True, slots=True)
class CommitLine:
    """One line: a commit, or (`kind` rewrite) the commit `sha` that took the place of `old_sha`."""

    kind: Literal["commit", "rewrite"]
    sha: str
    old_sha: str
    repository: str
    branch: str
    task_id: str
    trace_id: str
    span_id: str
    seen_ns: int


def _parse(line: str) -> CommitLine | None:
    parts = [("" if part == "-" else part) for part in line.split("\t")]
    if len(parts) != 8:
        return None
    kind, first, second, third, task_id, trace_id, span_id, seconds = parts
    if not (_SHA.fullmatch(first) and _TASK.fullmatch(task_id) and _SECONDS.fullmatch(seconds)):
        return None
    seen_ns = int(seconds) * 10**9
    if kind == "commit":
        return CommitLine("commit", first, "", second, third, task_id, trace_id, span_id, seen_ns)
    if kind == "rewrite" and _SHA.fullmatch(second):
        return CommitLine("rewrite", second, first, third, "", task_id, trace_id, span_id, seen_ns)
    return None


def read_commit_lines(path: Path, offset: int = 0) -> tuple[list[CommitLine], int]:
    """Return the whole lines of `path` from `offset` on and where to go on; what is no such line is skipped."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except OSError:
        return [], offset
    end = data.rfind(b"\n") + 1
    # Not splitlines: it splits at form feeds and U+2028 too, which a path may hold.
    lines = data[:end].decode("utf-8", "replace").split("\n")
    return [line for line in map(_parse, lines) if line is not None], offset + end
