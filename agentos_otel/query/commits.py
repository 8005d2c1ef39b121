"""Commits that hooks saw: taken from their files into the store, and their messages read from git."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from agentos_otel.correlation.commit_file import read_commit_lines
from agentos_otel.correlation.commits import operation_of

if TYPE_CHECKING:
    from pathlib import Path

    from agentos_otel.tasks.store import TaskStore


def take_in(state_dir: Path, store: TaskStore) -> None:
    """Apply what hooks have appended to the files of runs; applying a line twice changes nothing."""
    operations: list[dict[str, Any]] = []
    for path in sorted((state_dir / "commits").glob("*.tsv")):
        lines, _ = read_commit_lines(path)
        operations += [operation_of(line) for line in lines]
    if operations:
        store.apply(operations, timeout=10)


def message_of(repository: str, sha: str) -> str | None:
    """Return a commit's message, or None where the repository or the commit is not here."""
    if not repository:
        return None
    command = ["git", "--git-dir", repository, "log", "-1", "--format=%B", sha, "--"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
