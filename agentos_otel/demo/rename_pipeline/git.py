"""Running git, and what the pipeline needs to know of a repository."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rename_pipeline.errors import BadInputError, PipelineError

_NOT_FOUND: Final = 1  # git grep, git config: nothing matched


def git(root: Path, *arguments: str, okay: tuple[int, ...] = (0,)) -> bytes:
    """Run git in `root` and return its output.

    Raises:
        PipelineError: It ended with another exit code than those in `okay`.
    """
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    if done.returncode not in okay:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        command = next((word for word in arguments if not word.startswith("-") and "=" not in word), "")
        raise PipelineError(f"git {command} failed: {said[-1] if said else f'exit code {done.returncode}'}")
    return done.stdout


def top_level(folder: Path) -> Path:
    """Return the top of the working tree that holds `folder`.

    Raises:
        BadInputError: It is not a folder, or in no git repository with files.
    """
    if not folder.is_dir():
        raise BadInputError(f"{folder} is not a directory")
    try:
        found = git(folder, "rev-parse", "--show-toplevel")
    except PipelineError as error:
        raise BadInputError(f"{folder} is not a git repository") from error
    return Path(os.fsdecode(found.rstrip(b"\n")))


def head(root: Path) -> str:
    """Return the sha of HEAD.

    Raises:
        BadInputError: There is no commit yet.
    """
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
    except PipelineError as error:
        raise BadInputError(f"{root} has no commit yet") from error


def python_files(root: Path, commit: str) -> list[str]:
    """Return the paths of the Python files of a commit; no links, no submodules."""
    entries = git(root, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")
    split = [entry.partition(b"\t") for entry in entries if entry.startswith(b"100")]
    return [os.fsdecode(path) for _, _, path in split if path.endswith(b".py")]


def containing(root: Path, commit: str, word: str) -> set[str]:
    """Return the paths of a commit's files that contain `word` anywhere, even in a string."""
    found = git(root, "grep", "-l", "-z", "-w", "-F", "-e", word, commit, okay=(0, _NOT_FOUND))
    return {os.fsdecode(name.partition(b":")[2]) for name in found.split(b"\0") if name}


def has_identity(root: Path) -> bool:
    """Whether git knows who commits here."""
    return bool(git(root, "config", "user.email", okay=(0, _NOT_FOUND)).strip())


@contextmanager
def worktree(root: Path, base: str) -> Iterator[tuple[Path, str]]:
    """Give a fresh working tree of `base` on a branch of its own; the branch stays only if something was committed."""
    token = secrets.token_hex(4)
    branch = f"rename-{token}"
    folder = Path(tempfile.mkdtemp(prefix="rename-pipeline-"))
    tree = folder / token
    try:
        git(root, "worktree", "add", "--quiet", "-b", branch, str(tree), base)
        try:
            yield tree, branch
        finally:
            git(root, "worktree", "remove", "--force", str(tree))
            if git(root, "rev-parse", branch).decode().strip() == base:
                git(root, "branch", "--quiet", "-D", branch)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
