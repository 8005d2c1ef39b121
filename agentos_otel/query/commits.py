"""Commits that hooks saw: taken from their files into store and journal, and their messages read from git."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentos_otel.correlation.commit_file import read_commit_lines
from agentos_otel.correlation.commits import operation_of
from agentos_otel.store.live import is_alive

if TYPE_CHECKING:
    from agentos_otel.query.closing import Keeper

_TAKEN: Final = ".taken"
_FRESH_S: Final = 60
_SHA: Final = re.compile("[0-9a-f]{4,64}")


def take_in(workspace: Keeper) -> None:
    """Apply what hooks have appended to the files of runs; applying a line twice changes nothing.

    The file of a run that is over is journaled and removed: a hundred thousand runs must not leave as many files.
    """
    folder = workspace.state_dir / "commits"
    for path in [*sorted(folder.glob(f"*{_TAKEN}")), *sorted(folder.glob("*.tsv"))]:
        if path.suffix == ".tsv" and _is_alive(workspace, path.stem):
            operations, _ = _read(path)
            if operations:
                workspace.store.apply(operations, timeout=10)
        else:
            with contextlib.suppress(FileNotFoundError):  # somebody else is at it
                _settle(workspace, path)


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    lines, end = read_commit_lines(path)
    return [operation_of(line) for line in lines], end


def _is_alive(workspace: Keeper, run_id: str) -> bool:
    return any(is_alive(path) for path in (workspace.journal_dir / "live").glob(f"*/{run_id}.otlp"))


def _settle(workspace: Keeper, path: Path) -> None:
    """Journal what a file says, and remove it; a child that has outlived its run may begin another one."""
    taken = path.with_suffix(_TAKEN)
    if path != taken:
        if taken.exists():
            return  # what was left of it comes first, and this the next time
        path.rename(taken)
    operations, end = _read(taken)
    status = taken.stat()
    if status.st_size != end and time.time() - status.st_mtime < _FRESH_S:
        return  # a hook is writing to it
    if operations:
        workspace.do(*operations)
    taken.unlink()


def message_of(repository: str, sha: str) -> str | None:
    """Return a commit's message, or None where the repository or the commit is not here."""
    if not repository or not _SHA.fullmatch(sha):  # git takes other things for options
        return None
    command = ["git", "--git-dir", repository, "log", "-1", "--format=%B", sha, "--"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired):  # ValueError: a path with a zero byte
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
