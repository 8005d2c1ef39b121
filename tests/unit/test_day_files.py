"""Day files: finished runs move into them, whatever stops the mover, and nothing is lost or found twice."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentos_otel.journal.reader import read_file
from agentos_otel.journal.record import STATEMENT
from agentos_otel.store.day_files import merge
from agentos_otel.store.index import Index
from tests.unit.journals import DAY_NS, end, said, span, spans_of, state_of, trace, write


@pytest.fixture
def journal_dir(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def index(tmp_path: Path, journal_dir: Path) -> Iterator[Index]:
    made = Index(tmp_path / "index.db", journal_dir, None)
    yield made
    made.close()


def everything(path: Path) -> bool:
    return True


def finished(journal_dir: Path, run: str, *records: bytes, day: int = 1, host: str = "h") -> Path:
    path = write(journal_dir, run, *records, end(run), host=host)
    os.utime(path, ns=(day * DAY_NS, day * DAY_NS))
    return path


def files(journal_dir: Path) -> list[str]:
    return sorted(str(path.relative_to(journal_dir)) for path in journal_dir.rglob("*.otlp"))


def rebuilt(tmp_path: Path, journal_dir: Path) -> Index:
    made = Index(tmp_path / "rebuilt.db", journal_dir, None)
    made.catch_up()
    return made


def test_finished_runs_move_into_the_file_of_their_day_and_are_found_there(
    tmp_path: Path, index: Index, journal_dir: Path
) -> None:
    for number in range(6):
        finished(journal_dir, f"run{number}", span(trace(1), number), day=1 + number % 2, host=f"h{number}")
    index.catch_up()
    before = state_of(index)
    assert merge(index, everything, at_least=1) == 6
    assert files(journal_dir) == ["done/1970-01-02.otlp", "done/1970-01-03.otlp"]
    assert spans_of(index, trace(1)) == list(range(6))
    assert (state_of(index), index.catch_up()) == (before, 0)
    new = rebuilt(tmp_path, journal_dir)
    assert state_of(new) == before
    new.close()


def test_a_day_file_takes_more_later_and_stays_a_readable_journal(index: Index, journal_dir: Path) -> None:
    for number in range(3):
        finished(journal_dir, f"run{number}", span(trace(1), number))
        index.catch_up()
        assert merge(index, everything, at_least=1) == 1
    assert files(journal_dir) == ["done/1970-01-02.otlp"]
    chunk = read_file(journal_dir / "done/1970-01-02.otlp")
    assert (len(chunk.records), chunk.damaged) == (9, 0)
    assert spans_of(index, trace(1)) == [0, 1, 2]


def test_few_finished_runs_stay_where_they_are(index: Index, journal_dir: Path) -> None:
    finished(journal_dir, "run", span(trace(1), 1))
    index.catch_up()
    assert merge(index, everything) == 0
    assert files(journal_dir) == ["live/h/run.otlp"]


def test_only_what_is_indexed_ended_unlocked_and_forwarded_is_moved(index: Index, journal_dir: Path) -> None:
    write(journal_dir, "open", span(trace(1), 1))
    finished(journal_dir, "unsent", span(trace(1), 2))
    locked = finished(journal_dir, "locked", span(trace(1), 3))
    finished(journal_dir, "done", span(trace(1), 4))
    index.catch_up()
    finished(journal_dir, "unread", span(trace(1), 5))
    with locked.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert merge(index, lambda path: path.name != "unsent.otlp", at_least=1) == 1
    assert files(journal_dir) == [
        "done/1970-01-02.otlp", *(f"live/h/{run}.otlp" for run in ("locked", "open", "unread", "unsent")),
    ]  # fmt: skip


def test_all_segments_of_a_run_move_together(index: Index, journal_dir: Path) -> None:
    write(journal_dir, "run", span(trace(1), 1), span(trace(1), 2)[:-3])
    write(journal_dir, "run.1", span(trace(1), 3), end("run"))
    index.catch_up()
    assert index.all_losses()["damaged"] == 0
    assert merge(index, everything, at_least=1) == 1
    assert len(files(journal_dir)) == 1
    assert spans_of(index, trace(1)) == [1, 3]
    assert index.losses(["run"], [])["damaged"] == 1, "what was never finished is counted once it never will be"


def test_damage_is_copied_as_it_is(tmp_path: Path, index: Index, journal_dir: Path) -> None:
    broken = bytearray(span(trace(1), 2))
    broken[9] ^= 4
    finished(journal_dir, "first", span(trace(1), 1), bytes(broken), span(trace(1), 3))
    last = finished(journal_dir, "last", span(trace(1), 4))
    with last.open("ab") as file:
        file.write(b"torn")
    index.catch_up()
    merge(index, everything, at_least=1)
    new = rebuilt(tmp_path, journal_dir)
    for one in (index, new):
        assert spans_of(one, trace(1)) == [1, 3, 4]
        assert one.all_losses()["damaged"] == 2
    new.close()


def test_a_day_file_whose_header_is_damaged_keeps_its_records(tmp_path: Path, index: Index, journal_dir: Path) -> None:
    for number in range(3):
        finished(journal_dir, f"run{number}", span(trace(1), number))
    index.catch_up()
    merge(index, everything, at_least=1)
    (path,) = journal_dir.rglob("*.otlp")
    data = path.read_bytes()
    headers = [r for r in read_file(path).records if r.field == STATEMENT and b'"op":"segment"' in r.body]
    for broken in (0, 1):
        spoilt = bytearray(data)
        spoilt[headers[broken].offset + 5] ^= 1
        path.write_bytes(spoilt)
        (tmp_path / "rebuilt.db").unlink(missing_ok=True)
        new = rebuilt(tmp_path, journal_dir)
        assert spans_of(new, trace(1)) == [0, 1, 2]
        assert new.all_losses()["damaged"] == 1
        new.close()


def stopped_after_copying(index: Index, journal_dir: Path, *, whole: bool) -> None:
    """Leave the files as a mover does that is killed: copies made, the index and the originals as before."""
    originals = {path: path.read_bytes() for path in journal_dir.rglob("*.otlp") if "live" in path.parts}
    known = index.connection.execute("SELECT * FROM files").fetchall()
    segments = index.connection.execute("SELECT file_id, base, segment_id FROM segments").fetchall()
    merge(index, everything, at_least=1)
    with index.writing() as connection:
        connection.execute("DELETE FROM files")
        connection.executemany("INSERT INTO files VALUES (?, ?, ?, ?)", known)
        connection.executemany("UPDATE segments SET file_id = ?, base = ? WHERE segment_id = ?", segments)
    for path, data in originals.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        os.utime(path, ns=(DAY_NS, DAY_NS))
    if not whole:
        (day,) = (journal_dir / "done").iterdir()
        os.truncate(day, day.stat().st_size - 10)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("index_lost", [True, False])
def test_a_mover_that_is_killed_between_copy_and_removal_leaves_nothing_lost_and_nothing_double(
    tmp_path: Path, index: Index, journal_dir: Path, whole: bool, index_lost: bool
) -> None:
    broken = bytearray(span(trace(1), 9))
    broken[20] ^= 1
    for number in range(3):
        finished(journal_dir, f"run{number}", bytes(broken), span(trace(1), number))
    index.catch_up()
    before = state_of(index)
    stopped_after_copying(index, journal_dir, whole=whole)
    one = rebuilt(tmp_path, journal_dir) if index_lost else index
    one.catch_up()
    assert state_of(one) == before
    for number in range(2):
        finished(journal_dir, f"more{number}")
        one.catch_up()
        merge(one, everything, at_least=1)
    one.catch_up()
    assert spans_of(one, trace(1)) == [0, 1, 2]
    assert files(journal_dir) == ["done/1970-01-02.otlp"]
    again = Index(tmp_path / "again.db", journal_dir, None)
    again.catch_up()
    assert spans_of(again, trace(1)) == [0, 1, 2]
    assert again.all_losses()["damaged"] == 3
    again.close()
    if one is not index:
        one.close()


def test_a_reader_amid_its_reading_finds_what_is_moved_under_it(index: Index, journal_dir: Path) -> None:
    for number in range(3):
        finished(journal_dir, f"run{number}", span(trace(1), number))
    index.catch_up()
    records = index.trace_records(trace(1))
    first = next(records)
    merge(index, everything, at_least=1)
    assert len([first, *records]) == 3


def test_a_merger_at_work_makes_the_next_one_wait_for_another_day(index: Index, journal_dir: Path) -> None:
    finished(journal_dir, "first")
    index.catch_up()
    merge(index, everything, at_least=1)
    finished(journal_dir, "second", span(trace(1), 1))
    index.catch_up()
    with (journal_dir / "done/1970-01-02.otlp").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert merge(index, everything, at_least=1) == 0
    assert spans_of(index, trace(1)) == [1]
    assert merge(index, everything, at_least=1) == 1


def test_the_folders_of_hosts_that_are_gone_are_removed(index: Index, journal_dir: Path) -> None:
    path = finished(journal_dir, "run", host="container")
    finished(journal_dir, "other", host="h")
    index.catch_up()
    merge(index, everything, at_least=1)
    assert path.parent.is_dir(), "a container of that name may be starting"
    os.utime(path.parent, ns=(DAY_NS, DAY_NS))
    finished(journal_dir, "third", host="h")
    index.catch_up()
    merge(index, everything, at_least=1)
    assert not path.parent.exists()


def test_a_statement_of_a_task_stays_pending_over_a_move(index: Index, journal_dir: Path) -> None:
    finished(journal_dir, "run", said(op="state", task_id="t", status="executing", at=5))
    index.catch_up()
    merge(index, everything, at_least=1)
    ((segment_id, offset, size),) = index.connection.execute(
        "SELECT segment_id, offset, size FROM pending WHERE at = 5"
    )
    (record,) = index.fetch(segment_id, [(offset, size)])
    assert b'"task_id":"t"' in record.body
