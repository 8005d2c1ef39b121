"""The tools that agents and stages work with: files, syntax, tests, commits."""

from __future__ import annotations

import ast
import io
import logging
import os
import re
import shlex
import subprocess
import sys
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rename_pipeline import git
from rename_pipeline.documents import TestRun
from rename_pipeline.errors import PipelineError

_LOG: Final = logging.getLogger(__name__)
_TEST_SECONDS: Final = 900
_OUTPUT_KEPT: Final = 4000
_NO_TESTS_RAN: Final = 5  # unittest from Python 3.12 on, and pytest


def list_files(repo: Path, commit: str) -> list[str]:
    """Return the paths of the commit's Python files."""
    return git.python_files(repo, commit)


def search_files(repo: Path, commit: str, word: str) -> list[str]:
    """Return the paths of the commit's Python files that contain `word`, in the order of `list_files`."""
    found = git.containing(repo, commit, word)
    return [path for path in list_files(repo, commit) if path in found]


def read_file(root: Path, path: str, commit: str = "") -> str:
    """Return a Python file's text with its line ends as they are: from the working tree, or from a commit.

    Raises:
        PipelineError: It is not text in the encoding that it names.
    """
    content = git.git(root, "show", f"{commit}:{path}") if commit else (root / path).read_bytes()
    try:
        return content.decode(_encoding(content))
    except (SyntaxError, UnicodeError) as error:
        raise PipelineError(f"{path} is not text in the encoding that it names") from error


def write_file(root: Path, path: str, text: str) -> None:
    """Replace the text of a Python file, in the encoding that it had."""
    file = root / path
    file.write_bytes(text.encode(_encoding(file.read_bytes())))


def _encoding(content: bytes) -> str:
    return tokenize.detect_encoding(io.BytesIO(content).readline)[0]


def check_syntax(path: str, source: str) -> bool:
    """Whether `source` is Python that this interpreter can parse."""
    try:
        ast.parse(source, path)
    except (SyntaxError, ValueError) as error:
        _LOG.info("%s does not parse: %s", path, error)
        return False
    return True


def run_tests(root: Path, command: Sequence[str] = ()) -> TestRun:
    """Run the repository's tests: `command`, or unittest's discovery.

    Args:
        root: Where to run them.
        command: The words of a command that runs them.
    """
    command = list(command) or _unittest(root)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if (root / "src").is_dir():
        given = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(root / "src"), *([given] if given else [])])
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TEST_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return TestRun(passed=False, ran=0, exit_code=-1, output=str(error))
    output = done.stdout.decode(errors="replace")
    count = re.search(r"^Ran (\d+) tests?\b|\b(\d+) passed\b", output, re.MULTILINE)
    ran = int(count[1] or count[2]) if count else 0
    passed = done.returncode == 0 or (done.returncode == _NO_TESTS_RAN and not ran)
    _LOG.info("%s: exit code %d, %d tests", shlex.join(command), done.returncode, ran)
    return TestRun(passed=passed, ran=ran, exit_code=done.returncode, output=output[-_OUTPUT_KEPT:])


def _unittest(root: Path) -> list[str]:
    command = [sys.executable, "-m", "unittest", "discover"]
    tests = root / "tests"
    if tests.is_dir() and not (tests / "__init__.py").exists():
        return [*command, "-s", "tests"]
    return command


def git_commit(root: Path, paths: Sequence[str], message: str) -> str:
    """Commit `paths` as the repository's hooks and settings will have it, and return the sha."""
    identity: list[str] = []
    if not git.has_identity(root):
        identity = ["-c", "user.name=rename pipeline", "-c", "user.email=rename-pipeline@localhost"]
    git.git(root, "add", "--", *paths)
    git.git(root, *identity, "commit", "--quiet", "-m", message)
    return git.head(root)
