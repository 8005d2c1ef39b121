"""The lines that commit hooks append: one a commit, or one a rewrite."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


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
    if len(parts) != 8 or not _SHA.fullmatch(parts[1]) or not parts[7].isdigit():
        return None
    seen_ns = int(parts[7]) * 10**9
    if parts[0] == "commit":
        return CommitLine("commit", parts[1], "", parts[2], parts[3], parts[4], parts[5], parts[6], seen_ns)
    if parts[0] == "rewrite" and _SHA.fullmatch(parts[2]):
        return CommitLine("rewrite", parts[2], parts[1], parts[3], "", parts[4], parts[5], parts[6], seen_ns)
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
    lines = data[:end].decode("utf-8", "replace").splitlines()
    return [line for line in map(_parse, lines) if line is not None], offset + end
