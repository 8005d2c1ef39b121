"""Commit hooks for children, through their environment: nothing is written into the repository's configuration.

git >= 2.54 has configuration hooks that would need no dispatcher; no such git was there to test with, so they are left
out. What is here serves every git from 2.31 on.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

# Every client hook of githooks(5) but three: git runs reference-transaction and post-index-change many times a command,
# so a repository that has them goes without while our entry is there; fsmonitor-watchman is found by core.fsmonitor,
# which we leave alone. The last four run on the receiving side: git clears our entry for a push to a local path, but
# not where the child itself is the server, and there a repository's checks would silently be off. proc-receive and
# push-to-checkout cannot be passed on: that they exist changes what git does.
HOOKS: Final = (
    "applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit", "prepare-commit-msg",
    "commit-msg", "post-commit", "pre-rebase", "post-checkout", "post-merge", "pre-push", "pre-auto-gc",
    "post-rewrite", "sendemail-validate", "p4-changelist", "p4-prepare-changelist", "p4-post-changelist",
    "p4-pre-submit", "pre-receive", "update", "post-receive", "post-update",
)  # fmt: skip
# By this file a dispatcher knows the directories of other versions, which it must not take for the repository's own.
_MARKER: Final = ".agentos-otel"
_ENTRIES: Final = 10_000  # more are nobody's; git would not start with the environment that they need


@cache
def _dispatcher() -> bytes:
    return (Path(__file__).parent / "hooks.sh").read_bytes()


def _intact(folder: Path) -> bool:
    try:
        return (folder / _MARKER).exists() and all(
            (folder / name).stat().st_mode & 0o111 and (folder / name).read_bytes() == _dispatcher() for name in HOOKS
        )
    except OSError:
        return False


def _build(parent: Path) -> Path:
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
    try:
        (made / _MARKER).touch(0o444)
        for name in HOOKS:
            (made / name).write_bytes(_dispatcher())
            (made / name).chmod(0o555)
        made.chmod(0o555)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return made


def _discard(folder: Path) -> None:
    folder.chmod(0o755)  # only root removes files from a directory that is read-only
    shutil.rmtree(folder, ignore_errors=True)


@cache
def install(state_dir: Path, version: str) -> Path:
    """Return the hooks directory of this version, made at its first use and never removed.

    A child that survives this version still needs it; so there is one a version, read-only, found by its content.
    Checked once a process: at each launch it would cost a host that launches thousands of children.

    Raises:
        OSError: The state directory cannot be written.
    """
    digest = hashlib.sha256(_dispatcher() + "\n".join(HOOKS).encode()).hexdigest()[:12]
    folder = state_dir.absolute() / "hooks" / f"{version}-{digest}"
    if _intact(folder):
        return folder
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = _build(folder.parent)
    try:
        made.rename(folder)
    except OSError:  # another process was first, or the folder there is damaged
        if not _intact(folder):
            _replace(folder, made)
        else:
            _discard(made)
    return folder


def _replace(damaged: Path, made: Path) -> None:
    """Put `made` where `damaged` is; where another process does the same, either's result will do."""
    aside = made.with_name(f"{made.name}.old")
    try:
        damaged.rename(aside)
        made.rename(damaged)
    except OSError:
        _discard(made)
        if not _intact(damaged):
            raise
    finally:
        if aside.exists():
            _discard(aside)


def environment(environ: Mapping[str, str], hooks_dir: Path) -> dict[str, str]:
    """Return the variables to add to a child's environment; appended to the entries that are set there already.

    Nothing where ours is the entry that counts already, or where git itself would refuse what is set.
    """
    text = environ.get("GIT_CONFIG_COUNT", "") or "0"
    # Not isdigit alone: "²" is a digit too, and no number.
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= _ENTRIES):
        return {}
    count, last = int(text), None
    for i in range(count):
        if environ.get(f"GIT_CONFIG_KEY_{i}", "").lower() == "core.hookspath":  # as git reads keys; the last one counts
            last = environ.get(f"GIT_CONFIG_VALUE_{i}")
    if last == os.fspath(hooks_dir):
        return {}
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": "core.hooksPath",
        f"GIT_CONFIG_VALUE_{count}": os.fspath(hooks_dir),
    }
