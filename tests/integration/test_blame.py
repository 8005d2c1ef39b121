"""From a line of a file to the whole run that wrote it, by real git."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.homes import Home

pytestmark = pytest.mark.git

PROGRAM = """
import subprocess
from agentos_otel import configure, stage, task
configure()
with task("rename"), stage("execution"):
    open("names.py", "a").write("written = 1\\n")
    subprocess.run(["git", "commit", "-qam", "Rename"], check=True)
"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, env=os.environ, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A repository whose first line a person wrote and whose second line a traced task."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "names.py").write_text("given = 0\n")
    git(tmp_path, "add", "names.py")
    git(tmp_path, "commit", "-qm", "Begin")
    home = Home(tmp_path, "")
    home.run(PROGRAM)
    return home


def test_a_line_leads_to_the_run_that_wrote_it(home: Home) -> None:
    sha = git(home.folder, "rev-parse", "HEAD")
    shown = home.show("names.py:2")
    assert [commit["sha"] for commit in shown["commits"]] == [sha]
    done = home.shell("find", str(home.folder / "names.py:2"), "--json")
    assert json.loads(done.stdout)["hits"] == [{"task_id": shown["task"]["task_id"], "what": "commit", "value": sha}]


def test_a_commit_that_was_made_anew_elsewhere_leads_there_by_its_trailers(home: Home, tmp_path: Path) -> None:
    task_id = home.show("names.py:2")["task"]["task_id"]
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", ".", str(clone))
    message = git(clone, "log", "-1", "--format=%B")
    git(clone, "commit", "-q", "--amend", "-m", f"Reworded\n\n{message}")
    assert home.show(str(clone / "names.py:2"))["task"]["task_id"] == task_id
    sha = git(clone, "rev-parse", "HEAD")
    home.folder = clone
    assert home.show(sha)["task"]["task_id"] == home.show(sha[:8])["task"]["task_id"] == task_id


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("names.py:1", "no task has the id 'names.py:1'"),
        ("names.py:3", "line 3 of names.py is not committed yet: it has no task"),
        ("names.py:9", "git cannot say who wrote line 9 of names.py: file names.py has only 3 lines"),
        ("loose.py:1", "git cannot say who wrote line 1 of loose.py: no such path 'loose.py' in HEAD"),
        ("/etc/passwd:1", "git cannot say who wrote line 1 of /etc/passwd: not a git repository"),
        ("gone.py:1", "no task has the id 'gone.py:1'"),
    ],
)
def test_a_line_without_a_task_is_one_clear_line(home: Home, place: str, said: str) -> None:
    with (home.folder / "names.py").open("a") as file:
        file.write("new = 2\n")
    (home.folder / "loose.py").write_text("loose = 3\n")
    for command in (("find", place), ("task", "show", place)):
        done = home.shell(*command)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
