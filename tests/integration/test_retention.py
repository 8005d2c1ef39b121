"""Retention from the shell: pruning, erasing and counting on day files that real runs have left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import sys
from agentos_otel import stage, task, tool
@tool
def look(text): return text
@stage("intent", produces={"intent_id": "result"})
def intent(number):
    look("secret of " + number)
    return "intent_of_" + number.rjust(8, "0")
for number in sys.argv[1:]:
    with task("work " + number):
        intent(number)
"""


class Place:
    """A state directory, and commands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal_dir = folder / "state/journal"
        self.environ = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "AGENTOS_OTEL_STATE_DIR": str(folder / "state"),
            "AGENTOS_OTEL_CAPTURE": "true",
        }  # fmt: skip
        (folder / "program.py").write_text(PROGRAM)

    def work(self, *numbers: str) -> None:
        command = [sys.executable, str(self.folder / "program.py"), *numbers]
        subprocess.run(command, env=self.environ, cwd=self.folder, check=True, timeout=60)

    def command(self, *arguments: str, code: int = 0, **environ: str) -> str:
        command = [sys.executable, "-m", "agentos_otel", *arguments]
        done = subprocess.run(
            command, env={**self.environ, **environ}, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == code, done.stderr
        return done.stderr if code == 2 else done.stdout

    def shown(self, identifier: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.command("task", "show", identifier, "--json"))
        return found

    def files(self) -> list[Path]:
        return sorted(self.journal_dir.rglob("*.otlp"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_task_is_shown_erased_and_pruned_the_same_from_a_day_file(place: Place) -> None:
    place.work("1", "2")
    before = place.shown("intent_of_00000001")
    done = json.loads(place.command("prune", "--json"))
    assert done["files"] == []
    (day,) = place.files()
    assert day.parent.name == "done"
    assert place.shown("intent_of_00000001") == before
    assert b"secret of 1" in day.read_bytes()
    assert place.shown(before["spans"][0]["span_id"]) == before
    place.command("task", "erase", "intent_of_00000001", "--yes")
    data = day.read_bytes()
    assert b"intent_of_00000001" not in data
    assert b"secret of 1" not in data
    assert b"secret of 2" in data
    assert len(place.shown("intent_of_00000002")["spans"]) == 3
    assert "losses: dropped 0, cut 0, damaged 0, late 0" in place.command("doctor")
    done = json.loads(place.command("prune", "--max-size", "0", "--json"))
    assert (len(done["files"]), done["tasks"], done["size"]) == (1, 1, 0)
    assert place.files() == []
    assert "no task has the id" in place.command("task", "show", "intent_of_00000002", code=2)


def test_what_ended_lately_is_not_pruned_by_age(place: Place) -> None:
    place.work("1")
    place.command("prune", "--older-than", "1d")
    (day,) = place.files()
    old = day.with_name("2001-01-01.otlp")
    day.rename(old)
    for path in place.folder.glob("state/index.db*"):
        path.unlink()
    assert len(place.shown("intent_of_00000001")["spans"]) == 3
    assert "would remove done/2001-01-01.otlp" in place.command("prune", "--older-than", "1d", "--dry-run")
    assert "removed done/2001-01-01.otlp" in place.command("prune", AGENTOS_OTEL_MAX_AGE="30d")
    assert place.files() == []


@pytest.mark.parametrize(
    ("arguments", "environ", "says"),
    [
        (["--older-than", "yesterday"], {}, "'yesterday' is no age"),
        (["--max-size", "-1"], {}, "'-1' is no size"),
        ([], {"AGENTOS_OTEL_MAX_AGE": "old"}, "AGENTOS_OTEL_MAX_AGE: 'old' is no age"),
        ([], {"AGENTOS_OTEL_MAX_SIZE": "much"}, "AGENTOS_OTEL_MAX_SIZE: 'much' is no size"),
        ([], {"AGENTOS_OTEL_MAX_RUN_SIZE": "1X"}, "AGENTOS_OTEL_MAX_RUN_SIZE: '1X' is no size"),
    ],
)
def test_what_means_no_age_or_size_is_one_line_and_exit_code_2(
    place: Place, arguments: list[str], environ: dict[str, str], says: str
) -> None:
    place.work("1")
    said = place.command("prune", *arguments, code=2, **environ)
    assert says in said
    assert len(said.splitlines()) == 1


def test_full_journals_stop_new_spans_which_are_counted_for_their_task(place: Place) -> None:
    place.work("1")
    said = place.command("doctor", AGENTOS_OTEL_MAX_SIZE="1K", code=1)
    assert "KiB of 1.0 KiB; full: run `agentos-otel prune`" in said
    place.work("2")
    found = place.shown("intent_of_00000002")
    assert found["task"]["status"] == "completed"
    assert [span["name"] for span in found["spans"]] == ["task work 2"], "which the reaper writes from the tables"
    assert found["losses"]["dropped"] == 5, "three ends and the starts of the task and the stage"
    assert "5 dropped" in place.command("task", "show", "intent_of_00000002")
    assert place.shown("intent_of_00000001")["losses"]["dropped"] == 0
    place.work("3")
    assert len(place.shown("intent_of_00000003")["spans"]) == 3


def test_a_journal_of_a_newer_version_is_passed_over_by_name(place: Place) -> None:
    place.work("1")
    (path,) = place.files()
    newer = bytearray(path.read_bytes())
    newer = newer[: newer.index(b"\x79\xa9\x0f") + 9]
    newer[-6] = 1
    other = place.journal_dir / "live/other"
    other.mkdir()
    (other / "newer.otlp").write_bytes(newer)
    done = subprocess.run(
        [sys.executable, "-m", "agentos_otel", "task", "show", "intent_of_00000001"],
        env=place.environ, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert "newer.otlp was written by a newer version of agentos-otel: upgrade to read it" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_finished_processes_leave_few_files(place: Place) -> None:
    place.work("1")
    (path,) = place.files()
    for number in range(300):
        path.with_name(f"{number:016x}.otlp").write_bytes(path.read_bytes())
    place.command("task", "list")
    assert len(place.files()) == 1
