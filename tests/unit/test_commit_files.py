"""What commit hooks append is journaled, and their file removed, once its run is over."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentos_otel import bootstrap, task
from agentos_otel.query.workspace import Workspace
from tests.unit.conftest import Recorder
from tests.unit.journals import said, write

SHA = "c0ffee" + "0" * 34


@pytest.fixture
def space(recorder: Recorder) -> Iterator[Workspace]:
    with task("work"):
        pass
    opened = recorder.workspace()
    opened.refresh()
    yield opened
    opened.close()


def append(space: Workspace, run_id: str, sha: str = SHA) -> Path:
    """Append a line as a hook does."""
    (row,) = space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=9)
    path = space.state_dir / "commits" / f"{run_id}.tsv"
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write("\t".join(["commit", sha, "/repo/.git", "main", row["task_id"], "-", "-", "1760000000"]) + "\n")
    return path


def commits(space: Workspace) -> list[str]:
    (row,) = space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=9)
    return [commit["sha"] for commit in space.store.rows("list_commits", task_id=row["task_id"])]


def test_the_file_of_a_run_that_is_over_goes_and_its_commits_come_back_from_the_journal(
    recorder: Recorder, space: Workspace
) -> None:
    path = append(space, "over")
    space.refresh()
    assert (commits(space), list(path.parent.iterdir())) == ([SHA], [])
    space.close()
    for file in space.state_dir.glob("*.db*"):
        file.unlink()
    new = bootstrap.open_workspace(recorder.settings)
    new.refresh()
    assert commits(new) == [SHA]
    new.close()


def test_the_file_of_a_run_that_lives_stays_and_what_it_says_is_known(space: Workspace) -> None:
    path = append(space, "alive")
    journal = write(space.journal_dir, "alive", said(op="run"), host="h")
    with journal.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        space.refresh()
        assert (commits(space), path.exists()) == ([SHA], True)
    space.refresh()
    assert (commits(space), path.exists()) == ([SHA], False)


def test_what_a_stopped_reader_has_begun_to_take_in_is_taken_in_first(space: Workspace) -> None:
    path = append(space, "over")
    path.rename(path.with_suffix(".taken"))
    other = "beef" + "0" * 36
    append(space, "over", other)
    for _ in range(2):
        space.refresh()
    assert (sorted(commits(space)), list(path.parent.iterdir())) == (sorted([SHA, other]), [])


def test_half_a_line_is_waited_for_and_given_up_after_a_minute(space: Workspace) -> None:
    path = append(space, "over")
    with path.open("a") as file:
        file.write("commit\t")
    space.refresh()
    (taken,) = path.parent.iterdir()
    assert (commits(space), taken.suffix) == ([], ".taken")
    with taken.open("a") as file:
        file.write("...\n")
    space.refresh()
    assert (commits(space), list(path.parent.iterdir())) == ([SHA], [])
    with append(space, "other").open("a") as file:
        file.write("half")
    os.utime(path.parent / "other.tsv", (1, 1))
    space.refresh()
    assert list(path.parent.iterdir()) == []
