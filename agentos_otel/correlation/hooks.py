"""Commit hooks for children, through their environment: nothing is written into the repository's configuration.

git >= 2.54 has configuration hooks that would need no dispatcher; what is here serves every git from 2.31 on.
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

# Every client hook of githooks(5) but reference-transaction, post-index-change and fsmonitor-watchman: git runs those
# many times a command, and a repository that has them keeps them only where it is configured without core.hooksPath.
HOOKS: Final = (
    "applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit", "prepare-commit-msg",
    "commit-msg", "post-commit", "pre-rebase", "post-checkout", "post-merge", "pre-push", "pre-auto-gc",
    "post-rewrite", "sendemail-validate",
)  # fmt: skip


@cache
def _dispatcher() -> bytes:
    return (Path(__file__).parent / "hooks.sh").read_bytes()


def _intact(folder: Path) -> bool:
    try:
        return all((folder / name).read_bytes() == _dispatcher() for name in HOOKS)
    except OSError:
        return False


@cache
def install(state_dir: Path, version: str) -> Path:
    """Return the hooks directory of this version, made at its first use and never removed.

    A child that survives this version still needs it; so there is one a version, read-only, found by its content.

    Raises:
        OSError: The state directory cannot be written.
    """
    digest = hashlib.sha256(_dispatcher()).hexdigest()[:12]
    folder = state_dir / "hooks" / f"{version}-{digest}"
    if _intact(folder):
        return folder
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    for name in HOOKS:
        (made / name).write_bytes(_dispatcher())
        (made / name).chmod(0o555)
    made.chmod(0o755)
    try:
        made.rename(folder)
    except OSError:  # another process was first, or the folder there is damaged
        if not _intact(folder):
            folder.chmod(0o755)
            damaged = made.with_name(made.name + ".old")
            folder.rename(damaged)
            made.rename(folder)
            shutil.rmtree(damaged, ignore_errors=True)
        else:
            shutil.rmtree(made, ignore_errors=True)
    folder.chmod(0o555)
    return folder


def environment(environ: Mapping[str, str], hooks_dir: Path) -> dict[str, str]:
    """Return the variables to add to a child's environment; appended to the entries that are set there already."""
    text = environ.get("GIT_CONFIG_COUNT", "") or "0"
    if not text.isdigit():
        return {}
    count = int(text)
    last = [
        environ.get(f"GIT_CONFIG_VALUE_{i}")
        for i in range(count)
        if environ.get(f"GIT_CONFIG_KEY_{i}") == "core.hooksPath"
    ]
    if last and last[-1] == os.fspath(hooks_dir):
        return {}
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": "core.hooksPath",
        f"GIT_CONFIG_VALUE_{count}": os.fspath(hooks_dir),
    }
