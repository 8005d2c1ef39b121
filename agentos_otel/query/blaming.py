"""What git knows of an identifier: the commit that wrote a line of a file, and the ids that a commit itself carries."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agentos_otel import semconv
from agentos_otel.correlation import trailers
from agentos_otel.errors import NotFoundError

_LINE: Final = re.compile(r"(.+):([1-9]\d*)", re.DOTALL)
_SHA: Final = re.compile(r"[0-9a-f]{6,64}")
_UNCOMMITTED: Final = re.compile(r"0+")


def leads(identifier: str) -> Iterator[str]:
    """Yield the ids that lead to the task of `identifier`, the surest first.

    Of a line (`FILE:LINE`) that is the commit which wrote it. A commit that was made anew elsewhere, by a rebase or a
    squash, is known to no store here, and its trailers still name its task. Git is asked only as far as the ids are
    taken from here.

    Raises:
        NotFoundError: The line is not there, or not committed.
    """
    folder, commit = Path(), identifier
    if (match := _LINE.fullmatch(identifier)) and (file := Path(match[1])).is_file():
        folder, commit = file.parent, _commit_of(file, int(match[2]))
    yield commit
    if _SHA.fullmatch(commit.lower()):
        done = _git(folder, "log", "-1", "--format=%B", commit, "--")
        found = trailers.read(done.stdout) if done.returncode == 0 else {}
        yield from (found[key] for key in (semconv.TRAILER_TASK, semconv.TRAILER_TRACE) if key in found)


def _commit_of(file: Path, line: int) -> str:
    done = _git(file.parent, "blame", "--porcelain", "-L", f"{line},{line}", "--", file.name)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["git blame failed"])[-1].removeprefix("fatal: ")
        raise NotFoundError(f"git cannot say who wrote line {line} of {file}: {why}")
    commit = done.stdout.split(" ", 1)[0].lstrip("^")
    if _UNCOMMITTED.fullmatch(commit):
        raise NotFoundError(f"line {line} of {file} is not committed yet: it has no task")
    return commit


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git in a folder; that it is not there, or hangs, is an answer like any other of its failures."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, timeout=30, check=False, text=True, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
