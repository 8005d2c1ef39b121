"""Commits of children carry the ids, and nothing that git does otherwise changes."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentos_otel.correlation import hooks
from agentos_otel.correlation.commit_file import CommitLine, read_commit_lines
from agentos_otel.correlation.trailers import Identity, stamp

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
        done = self.run(*arguments, traced=traced, **environ)
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout.strip()

    def run(self, *arguments: str, traced: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *arguments],
            env={**(self.traced if traced else self.plain), **environ}, cwd=self.path, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    def apart(self, name: str, message: str) -> str:
        """Commit untraced on a new branch that parts from HEAD; return to where HEAD was."""
        self.git("checkout", "-q", "-b", name)
        self.commit("-m", message, name=name, traced=False)
        sha = self.git("rev-parse", "HEAD")
        self.git("checkout", "-q", "-")
        return sha

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


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("#42 fix", f"#42 fix\n\n{TRAILERS}"),  # without an editor git keeps it as text
        ("S\n\nBody\n\n#12 closes", f"S\n\nBody\n\n#12 closes\n\n{TRAILERS}"),
        ("S\n\nhttps://a/b?c=%s&\\d", f"S\n\nhttps://a/b?c=%s&\\d\n{TRAILERS}"),  # git's own tool writes `https: //`
        ("S\n\nCo-authored-by: A <a@b>", f"S\n\nCo-authored-by: A <a@b>\n{TRAILERS}"),
        (
            "S\n\nSigned-off-by: A <a@b>\n(cherry picked from commit 1)",
            f"S\n\nSigned-off-by: A <a@b>\n(cherry picked from commit 1)\n{TRAILERS}",
        ),
        ("S\n\nBody\n\ndiff -u a b\nx", f"S\n\nBody\n\n{TRAILERS}\n\ndiff -u a b\nx"),
        ("S\n\nIndex: a\nx", f"S\n\n{TRAILERS}\n\nIndex: a\nx"),
        ("--- starts so", "--- starts so"),  # no text would be left above the block
        ("S\n\ntask-id: other000001", "S\n\ntask-id: other000001"),
        ("S\n\n    Task-Id: indented01", f"S\n\n    Task-Id: indented01\n\n{TRAILERS}"),  # as a squash leaves it
        ("S\u00e9\u2028\n\nb\u0153dy", f"S\u00e9\u2028\n\nb\u0153dy\n\n{TRAILERS}"),
    ],
)
@pytest.mark.parametrize("character", ["", ";", "auto"])
def test_a_given_message_is_stamped_as_git_would_read_it(
    repository: Repository, given: str, made: str, character: str
) -> None:
    if character:
        repository.git("config", "core.commentChar", character)
    (repository.folder / "message").write_text(given)
    assert repository.commit("-F", str(repository.folder / "message")) == made
    if "#" not in given:  # a comment for the function, which knows no editor
        assert stamp(given, Identity(TASK, SESSION, TRACE)).strip() == made  # the script and the function agree


def test_hooks_print_nothing_and_leave_no_files_behind(repository: Repository) -> None:
    repository.change()
    repository.task_file.chmod(0o600)
    done = repository.run("commit", "-q", "-m", "Subject")
    assert done.stdout + done.stderr == ""
    assert list((repository.path / ".git").glob("*agentos*")) == []
    assert repository.commits.stat().st_mode & 0o777 == 0o600
    repository.commits.unlink()
    repository.task_file.write_text("garbage\n=\ntask_id=$(touch pwned)\n")
    repository.change()
    done = repository.run("commit", "-q", "-m", "Subject", AGENTOS_OTEL_TASK_FILE=str(repository.folder))
    done = repository.run("commit", "-q", "-m", "Subject", "--allow-empty")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert (repository.message(), repository.commits.exists()) == ("Subject", False)
    assert not (repository.path / "pwned").exists()


@pytest.mark.parametrize("character", ["#", ";", "auto"])
@pytest.mark.parametrize("arguments", [[], ["-s"], ["-v"], ["-t", "../template"], ["-t", "../template", "-s", "-v"]])
@pytest.mark.parametrize("editor", ["true", ":"])
def test_a_commit_that_git_would_abort_stays_aborted(
    repository: Repository, arguments: list[str], character: str, editor: str
) -> None:
    # Under `auto` git takes another character where the template has a `#`, and its line for text: no abort.
    (repository.folder / "template").write_text("Template\n" + f"\n{character} hint\n" * (character != "auto"))
    repository.git("config", "core.commentChar", character)
    repository.change()
    repository.git("commit", "-q", *arguments, traced=False, fails=True, GIT_EDITOR=editor)
    repository.git("commit", "-q", *arguments, fails=True, GIT_EDITOR=editor)
    repository.git("commit", "-q", *arguments, "-e", "-m", "", fails=True, GIT_EDITOR="true")


@pytest.mark.parametrize("arguments", [["-v"], ["-t", "../template"], ["-v", "-e", "-m", "Given"]])
@pytest.mark.parametrize("character", ["#", ";", "auto"])
def test_what_an_editor_has_written_is_stamped_above_hints_and_diff(
    repository: Repository, arguments: list[str], character: str
) -> None:
    (repository.folder / "template").write_text("Template\n")
    repository.git("config", "core.commentChar", character)
    (repository.path / "file").write_text(" Task-Id: other000001\n---\nTask-Id: other000001\n")
    repository.commit("-m", "Base", traced=False)
    repository.change()
    repository.git("commit", "-q", *arguments, GIT_EDITOR="sed -i '1s/^/More /'")
    subject = {"-v": "More", "-t": "More Template"}.get(arguments[0], "") if len(arguments) < 3 else "More Given"
    assert repository.message() == f"{subject}\n\n{TRAILERS}"


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


def test_a_pull_with_rebase_signs_nobodys_commits_and_notes_what_became_of_ours(repository: Repository) -> None:
    repository.commit("-m", "Base", traced=False)
    theirs = repository.apart("theirs", "Theirs")
    repository.commit("-m", "Mine", name="mine", traced=False)
    repository.commit("-m", "Ours", name="ours")
    old = repository.git("rev-parse", "HEAD")
    repository.hook("post-rewrite", 'echo "$1" > rewritten; cat >> rewritten; exit 0')
    repository.git("pull", "-q", "--rebase", ".", "theirs")
    new = repository.git("rev-parse", "HEAD")
    assert [repository.message(of) for of in ("HEAD", "HEAD~1", "HEAD~2")] == [f"Ours\n\n{TRAILERS}", "Mine", "Theirs"]
    assert repository.git("rev-parse", "HEAD~2") == theirs
    (line,) = [line for line in repository.lines() if line.kind == "rewrite"]
    assert (line.old_sha, line.sha, line.task_id, line.span_id) == (old, new, TASK, SPAN)
    assert {line.sha for line in repository.lines() if line.kind == "commit"} <= {old, new}
    assert f"{old} {new}" in (repository.path / "rewritten").read_text()


def test_a_patch_applied_by_am_keeps_its_message_and_is_noted_if_it_is_ours(repository: Repository) -> None:
    repository.commit("-m", "Base", traced=False)
    repository.git("checkout", "-q", "-b", "side")
    repository.commit("-m", "Ours\n\nBody\n\n---\nnotes", name="ours")
    repository.commit("-m", "Theirs", name="theirs", traced=False)
    repository.git("format-patch", "-q", "-2", "-o", str(repository.folder))
    repository.git("checkout", "-q", "main")
    repository.commits.unlink()
    repository.git("am", "-q", *(str(path) for path in sorted(repository.folder.glob("*.patch"))))
    assert repository.message("HEAD~1") == f"Ours\n\nBody\n\n{TRAILERS}"  # the block has survived the cut
    assert repository.message() == "Theirs"
    assert [line.sha for line in repository.lines()] == [repository.git("rev-parse", "HEAD~1")]


def test_a_squash_is_new_work_and_a_fast_forward_notes_only_ours(repository: Repository) -> None:
    repository.commit("-m", "Base", traced=False)
    repository.apart("side", "Side\n\nTask-Id: other000001")
    repository.git("merge", "-q", "--squash", "side")
    repository.git("commit", "-q", GIT_EDITOR="true")
    assert repository.message().endswith(f"    Task-Id: other000001\n\n{TRAILERS}")
    assert len(repository.lines()) == 1
    repository.apart("next", "Next")
    repository.git("merge", "-q", "next")
    assert len(repository.lines()) == 1


def test_a_conflict_resolved_in_a_pick_is_still_somebody_elses_and_one_of_a_merge_is_ours(
    repository: Repository,
) -> None:
    repository.commit("-m", "Base", traced=False)
    repository.git("checkout", "-q", "-b", "theirs")
    repository.commit("-m", "Theirs", traced=False)
    repository.git("checkout", "-q", "main")
    (repository.path / "file").write_text("ours\n")
    repository.git("commit", "-q", "-a", "-m", "Mine", traced=False)
    repository.git("cherry-pick", "theirs", fails=True)
    repository.commit("--no-edit")
    assert not repository.lines()
    assert "Task-Id" not in repository.message()
    repository.git("reset", "-q", "--hard", "HEAD~1")
    repository.git("merge", "-q", "theirs", fails=True)
    repository.commit("--no-edit")
    assert "Task-Id" in repository.git("log", "-1", "--format=%(trailers:only)")
    assert len(repository.lines()) == 1


def test_a_worktrees_commit_is_noted_for_the_common_repository(repository: Repository) -> None:
    repository.commit("-m", "Base", traced=False)
    tree = repository.folder / "tree"
    repository.git("worktree", "add", "-q", "-b", "work", str(tree))
    (tree / "new").write_text("x")
    repository.git("-C", str(tree), "add", "-A")
    repository.git("-C", str(tree), "commit", "-q", "-m", "In the tree")
    (line,) = repository.lines()
    assert (line.branch, line.repository) == ("work", str(repository.path.resolve() / ".git"))


def test_two_versions_nested_run_the_repositorys_own_hooks_once_and_stamp_once(repository: Repository) -> None:
    repository.hook("pre-commit", "echo ran >> ran")
    inner = hooks.install(repository.folder / "inner state", "1")
    repository.traced.update(hooks.environment(repository.traced, inner))
    assert repository.traced["GIT_CONFIG_COUNT"] == "2"
    assert repository.commit("-m", "Subject") == f"Subject\n\n{TRAILERS}"
    assert (repository.path / "ran").read_text() == "ran\n"
    assert len(repository.lines()) == 1


def test_a_relative_hooks_path_of_the_repository_works_from_below_and_in_a_worktree(repository: Repository) -> None:
    repository.git("config", "core.hooksPath", ".husky/_")
    own = repository.path / ".husky" / "_" / "pre-commit"
    own.parent.mkdir(parents=True)
    own.write_text('#!/bin/sh\necho "own hook" >&2\nexit 7\n')
    own.chmod(0o755)
    (repository.path / "below").mkdir()
    repository.change("below/file")
    done = repository.run("-C", "below", "commit", "-q", "-m", "S")
    assert (done.returncode, done.stderr) == (1, "own hook\n")
    repository.git("commit", "-q", "-m", "S", "--no-verify")
    tree = repository.folder / "tree"
    repository.git("worktree", "add", "-q", str(tree))
    done = repository.run("-C", str(tree), "commit", "-q", "-m", "S", "--allow-empty")
    assert (done.returncode, done.stderr) == (1, "own hook\n")


def test_without_a_task_the_repositorys_own_hooks_still_decide(repository: Repository) -> None:
    repository.task_file.unlink()
    repository.change()
    for name in ("prepare-commit-msg", "commit-msg", "pre-commit"):
        repository.hook(name, "exit 3")
        repository.git("commit", "-q", "-m", "S", fails=True)
        (repository.path / ".git" / "hooks" / name).unlink()
    repository.git("commit", "-q", "-m", "S")
    remote = repository.folder / "remote.git"
    repository.git("init", "-q", "--bare", str(remote))
    repository.hook("pre-push", "exit 3")
    repository.git("push", "-q", str(remote), "main", fails=True)


@pytest.mark.parametrize("transport", ["local", "child is the server"])
def test_the_checks_of_a_repository_that_is_pushed_to_stay_on(repository: Repository, transport: str) -> None:
    repository.commit("-m", "S")
    remote = repository.folder / "remote.git"
    repository.git("init", "-q", "--bare", str(remote))
    (remote / "hooks").mkdir(exist_ok=True)
    (remote / "hooks" / "pre-receive").write_text("#!/bin/sh\n! grep -q refs/heads/main\n")
    (remote / "hooks" / "pre-receive").chmod(0o755)
    server = repository.folder / "server"  # git clears our entry for a local push; a server of the child's keeps it
    entries = "\n".join(f"export {k}='{v}'" for k, v in repository.traced.items() if k.startswith("GIT_CONFIG_"))
    server.write_text(f'#!/bin/sh\n{entries}\nexec git receive-pack "$@"\n')
    server.chmod(0o755)
    arguments = ["--receive-pack", f"'{server}'"] if transport != "local" else []
    repository.git("push", "-q", *arguments, str(remote), "main", fails=True)
    repository.git("push", "-q", *arguments, str(remote), "main:allowed")


def test_a_hooks_directory_is_read_only_shared_and_mended(tmp_path: Path) -> None:
    folder = hooks.install(tmp_path, "0")
    assert folder.stat().st_mode & 0o777 == 0o555
    (folder / "commit-msg").chmod(0o755)
    (folder / "commit-msg").write_text("damaged")
    install = hooks.install.__wrapped__  # past the cache, as another process is
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: install(tmp_path, "0"), range(8)))
    assert found == {folder}
    assert (folder / "commit-msg").read_bytes() == (folder / "post-commit").read_bytes()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


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
    for refused in ("nonsense", "-1", "²", "9" * 12):
        assert hooks.environment({"GIT_CONFIG_COUNT": refused}, folder) == {}
    shadowed = {**first, "GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_1": "core.hookspath", "GIT_CONFIG_VALUE_1": "/own"}
    assert hooks.environment(shadowed, folder)["GIT_CONFIG_KEY_2"] == "core.hooksPath"


def test_lines_are_read_whole_from_an_offset_and_garbage_is_skipped(tmp_path: Path) -> None:
    path, sha = tmp_path / "commits.tsv", "a" * 40
    assert read_commit_lines(path, 3) == ([], 3)
    good = f"commit\t{sha}\t/a\u2028b/.git\t-\t{TASK}\t-\t-\t7\n"
    garbage = f"commit\nx\n\ncommit\t{sha}\t/r\tb\t{TASK}\t-\t-\t²\nrewrite\t{sha}\tx\t/r\t{TASK}\t-\t-\t7\n"
    path.write_bytes(garbage.encode() + b"\xff\x00\n" + good.encode() + b"commit\thalf")
    lines, offset = read_commit_lines(path)
    assert lines == [CommitLine("commit", sha, "", "/a\u2028b/.git", "", TASK, "", "", 7_000_000_000)]
    assert path.read_bytes()[offset:] == b"commit\thalf"
    assert read_commit_lines(path, offset) == ([], offset)
