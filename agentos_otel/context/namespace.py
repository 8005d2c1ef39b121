"""The namespace of a process: the common git directory of the repository it started in."""

from __future__ import annotations

from pathlib import Path


def namespace_of(start: Path) -> str:
    """Return the common git directory found upward from `start`, or an empty text.

    Read from files: a `git` process would cost every short command some milliseconds. In a linked worktree `.git` is
    a file that names a directory whose `commondir` leads to the repository's own.
    """
    try:
        start = start.resolve()
        for folder in (start, *start.parents):
            marker = folder / ".git"
            if marker.is_dir():
                return str(marker)
            if marker.is_file():
                return _linked(marker)
    except (OSError, UnicodeDecodeError):
        return ""
    return ""


def _linked(marker: Path) -> str:
    text = marker.read_text(encoding="utf-8").strip()
    if not text.startswith("gitdir:"):
        return ""
    git_dir = (marker.parent / text.removeprefix("gitdir:").strip()).resolve()
    common = git_dir / "commondir"
    if common.is_file():
        return str((git_dir / common.read_text(encoding="utf-8").strip()).resolve())
    return str(git_dir)
