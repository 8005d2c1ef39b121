"""Commits of children carry the ids, and nothing that git does otherwise changes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from agentos_otel.correlation import hooks
from agentos_otel.correlation.commit_file import CommitLine, read_commit_lines

pytestmark = pytest.mark.git

TASK, SESSION, TRACE, SPAN = "task00000001", "session0001", "ab" * 16, "cd" * 8
TRAILERS = f"Task-Id: {TASK}\nSession-Id: {SESSION}\nTrace-Id: {TRACE}"


class Repository:
    """A git repository used as a child of a traced program uses it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "a repository"
        self.commits = folder / "commits.tsv"
        self.task_file = folder / "task file"
        self.task_file.write_text(f"task_id={TASK}\nsession_id={SESSION}\ntrace_id={TRACE}\ncommits={self.commits}\n")
        self.plain = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Test" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "test@example.org" for who in ("AUTHOR", "COMMITTER")},
        }
        subprocess.run(["git", "init", "-q", "-b", "main", self.path], env=self.plain, check=True)
        self.traced = {
            **self.plain,
            "AGENTOS_OTEL_TASK_FILE": str(self.task_file),
            "AGENTOS_OTEL_TRACEPARENT": f"00-{TRACE}-{SPAN}-01",
        }
        self.traced.update(hooks.environment(self.traced, hooks.install(folder / "state", "0")))

    def git(self, *arguments: str, traced: bool = True, fails: bool = False, **environ: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            env={**(self.traced if traced else self.plain), **environ}, cwd=self.path, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout.strip()

    def change(self, name: str = "file") -> None:
        path = self.path / name
        path.write_text((path.read_text() if path.exists() else "") + "line\n")
        self.git("add", "-A")

    def commit(self, *arguments: str, name: str = "file", traced: bool = True) -> str:
        self.change(name)
        self.git("commit", "-q", *arguments, traced=traced)
        return self.message()

    def message(self, of: str = "HEAD") -> str:
        return self.git("log", "-1", "--format=%B", of)

    def lines(self) -> list[CommitLine]:
        return read_commit_lines(self.commits)[0]

    def hook(self, name: str, script: str) -> None:
        path = self.path / ".git" / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize("arguments", [["-m", "Subject"], ["-m", "Subject", "--no-verify"], ["-m", "Subject", "-v"]])
def test_a_commit_carries_the_trailers_and_is_noted(repository: Repository, arguments: list[str]) -> None:
    assert repository.commit(*arguments) == f"Subject\n\n{TRAILERS}"
    (line,) = repository.lines()
    assert line.sha == repository.git("rev-parse", "HEAD")
    assert (line.task_id, line.trace_id, line.span_id, line.branch) == (TASK, TRACE, SPAN, "main")
    assert line.repository == str(repository.path.resolve() / ".git")


def test_an_editors_message_is_stamped_and_an_aborted_commit_stays_aborted(repository: Repository) -> None:
    repository.change()
    repository.git("commit", "-q", GIT_EDITOR="true", fails=True)
    repository.git("commit", "-q", GIT_EDITOR="sh -c 'echo Written > \"$1\"' -")
    assert repository.message() == f"Written\n\n{TRAILERS}"


def test_an_amended_commit_keeps_one_set_and_its_rewrite_is_noted(repository: Repository) -> None:
    repository.commit("-m", "Subject")
    old = repository.git("rev-parse", "HEAD")
    repository.git("commit", "-q", "--amend", "--no-edit")
    assert repository.message() == f"Subject\n\n{TRAILERS}"
    repository.git("commit", "-q", "--amend", "-m", "Other")
    assert repository.message() == f"Other\n\n{TRAILERS}"
    rewrites = [line for line in repository.lines() if line.kind == "rewrite"]
    assert rewrites[0].old_sha == old
    assert rewrites[-1].sha == repository.git("rev-parse", "HEAD")


def test_an_existing_block_is_extended_and_an_existing_task_left(repository: Repository) -> None:
    assert repository.commit("-m", "S\n\nSigned-off-by: A <a@b>") == f"S\n\nSigned-off-by: A <a@b>\n{TRAILERS}"
    assert repository.commit("-m", "S\n\nTask-Id: other000001") == "S\n\nTask-Id: other000001"
    assert len(repository.lines()) == 1


def test_the_block_stands_before_a_line_at_which_git_am_would_cut(repository: Repository) -> None:
    message = repository.commit("-m", "Subject\n\nBody\n\n---\nnotes")
    assert message == f"Subject\n\nBody\n\n{TRAILERS}\n\n---\nnotes"


def test_a_merge_is_stamped_in_a_block_of_its_own(repository: Repository) -> None:
    repository.commit("-m", "One", traced=False)
    repository.git("checkout", "-q", "-b", "side")
    repository.commit("-m", "Two", name="other", traced=False)
    repository.git("checkout", "-q", "main")
    repository.commit("-m", "Three", traced=False)
    repository.git("merge", "-q", "--no-ff", "--no-edit", "side")
    assert repository.message() == f"Merge branch 'side'\n\n{TRAILERS}"


def test_what_somebody_else_wrote_is_not_signed_with_our_task(repository: Repository) -> None:
    repository.commit("-m", "Base", traced=False)
    repository.git("checkout", "-q", "-b", "theirs")
    repository.commit("-m", "Theirs", name="theirs", traced=False)
    repository.git("checkout", "-q", "main")
    repository.commit("-m", "Ours", name="ours", traced=False)
    repository.git("cherry-pick", "theirs")
    assert repository.message() == "Theirs"
    repository.git("checkout", "-q", "theirs")
    repository.git("rebase", "-q", "main")
    assert "Task-Id" not in repository.git("log", "--format=%B", "theirs", "--")
    assert repository.lines() == []


def test_a_worktrees_commit_is_noted_for_the_common_repository(repository: Repository) -> None:
    repository.commit("-m", "Base", traced=False)
    tree = repository.folder / "tree"
    repository.git("worktree", "add", "-q", "-b", "work", str(tree))
    (tree / "new").write_text("x")
    repository.git("-C", str(tree), "add", "-A")
    repository.git("-C", str(tree), "commit", "-q", "-m", "In the tree")
    (line,) = repository.lines()
    assert (line.branch, line.repository) == ("work", str(repository.path.resolve() / ".git"))


@pytest.mark.parametrize("where", ["default", "configured", "environment"])
def test_the_repositorys_own_hooks_run_with_arguments_stdin_and_exit_code(repository: Repository, where: str) -> None:
    repository.hook("commit-msg", 'grep -q forbidden "$1" && exit 3; echo "$1" > ran')
    repository.hook("pre-push", 'echo "$1" > pushed; cat >> pushed')
    if where != "default":
        own = repository.folder / "own hooks"
        (repository.path / ".git" / "hooks").rename(own)
        if where == "configured":
            repository.git("config", "core.hooksPath", str(own))
        else:
            entries = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": str(own)}
            base = {**repository.plain, **entries}
            ours = {key: value for key, value in repository.traced.items() if not key.startswith("GIT_CONFIG_")}
            folder = hooks.install(repository.folder / "state", "0")
            repository.traced = {**ours, **entries, **hooks.environment(base, folder), "GIT_CONFIG_NOSYSTEM": "1"}
    assert repository.commit("-m", "Subject") == f"Subject\n\n{TRAILERS}"
    assert (repository.path / "ran").read_text().strip().endswith("COMMIT_EDITMSG")
    (repository.path / "ran").unlink()
    repository.change()
    repository.git("commit", "-q", "-m", "forbidden", fails=True)
    remote = repository.folder / "remote.git"
    repository.git("init", "-q", "--bare", str(remote))
    repository.git("push", "-q", str(remote), "main")
    pushed = (repository.path / "pushed").read_text()
    assert str(remote) in pushed
    assert "refs/heads/main" in pushed


def test_a_task_that_is_sampled_out_leaves_no_trace_id_and_none_leaves_nothing(repository: Repository) -> None:
    repository.task_file.write_text(f"task_id={TASK}\nsession_id={SESSION}\ncommits={repository.commits}\n")
    assert repository.commit("-m", "S") == f"S\n\nTask-Id: {TASK}\nSession-Id: {SESSION}"
    repository.task_file.unlink()
    assert repository.commit("-m", "S") == "S"


def test_an_entry_that_is_there_is_not_added_again(tmp_path: Path) -> None:
    folder = hooks.install(tmp_path, "0")
    first = hooks.environment({}, folder)
    assert first["GIT_CONFIG_COUNT"] == "1"
    assert hooks.environment(first, folder) == {}
    assert hooks.environment({"GIT_CONFIG_COUNT": "nonsense"}, folder) == {}
