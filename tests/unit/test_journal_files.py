"""The list of journal files stays right without being made anew each time."""

from __future__ import annotations

import os
import time
from pathlib import Path

from agentos_otel.export.journal_files import JournalFiles


def write(journal_dir: Path, name: str, text: str = "x") -> Path:
    path = journal_dir / "live" / "host" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def grown(files: JournalFiles, offsets: dict[str, int] | None = None, *, thorough: bool = False) -> set[str]:
    return {name.rpartition("/")[2] for name, _ in files.grown(offsets or {}, thorough=thorough)}


def test_files_that_come_and_go_are_seen_at_once(tmp_path: Path) -> None:
    files = JournalFiles(tmp_path)
    assert grown(files) == set()
    for number in range(20):
        made = write(tmp_path, f"{number}.otlp")
        assert f"{number}.otlp" in grown(files)
        if number % 2:
            made.unlink()
            assert f"{number}.otlp" not in grown(files)


def test_a_folder_that_rests_is_listed_no_more_and_its_files_still_grow(tmp_path: Path) -> None:
    path = write(tmp_path, "a.otlp")
    folder = path.parent
    long_ago = time.time_ns() - 10**12
    os.utime(folder, ns=(long_ago, long_ago))
    files = JournalFiles(tmp_path)
    assert grown(files) == {"a.otlp"}
    offsets = {"live/host/a.otlp": 1}
    assert grown(files, offsets) == set()
    path.write_text("xy")
    assert grown(files, offsets) == {"a.otlp"}


def test_newborn_files_other_files_and_what_is_done_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, ".a.new")
    write(tmp_path, ".a.otlp")
    write(tmp_path, "a.txt")
    (tmp_path / "live" / "note").write_text("x")
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "2026-01-01.otlp").write_text("x")
    assert grown(JournalFiles(tmp_path)) == set()


def test_a_file_with_an_end_is_never_looked_at_again_and_a_quiet_one_when_all_are(tmp_path: Path) -> None:
    ended, quiet = write(tmp_path, "ended.otlp"), write(tmp_path, "quiet.otlp")
    offsets = {"live/host/ended.otlp": 1, "live/host/quiet.otlp": 1}
    os.utime(quiet, (0, 0))
    files = JournalFiles(tmp_path)
    files.ended("live/host/ended.otlp")
    assert grown(files, offsets) == set()
    for path in (ended, quiet):
        path.write_text("xy")
    assert grown(files, offsets) == set()
    assert grown(files, offsets, thorough=True) == {"quiet.otlp"}
    assert grown(files, offsets) == {"quiet.otlp"}  # it is not quiet any more
