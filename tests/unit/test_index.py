"""The index: finds every record by trace and span id, keeps up with growth, and is rebuilt from the journals."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_otel.errors import StorageError
from agentos_otel.journal.record import ENDED_SPAN, LOG_RECORD, STARTED_SPAN, frame
from agentos_otel.store.index import VERSION, Index
from tests.unit.journals import end, said, span, spans_of, state_of, trace, write


@pytest.fixture
def journal_dir(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def index(tmp_path: Path, journal_dir: Path) -> Iterator[Index]:
    made = Index(tmp_path / "index.db", journal_dir, None)
    yield made
    made.close()


def test_a_trace_is_found_in_all_files_and_no_other_with_it(index: Index, journal_dir: Path) -> None:
    write(journal_dir, "a", span(trace(1), 1), span(trace(2), 2))
    write(journal_dir, "b", span(trace(1), 3, STARTED_SPAN), span(trace(1), 3), host="other")
    assert index.catch_up() == 4
    assert spans_of(index, trace(1)) == [1, 3]
    assert spans_of(index, trace(2)) == [2]
    assert spans_of(index, trace(3)) == []


def test_growth_is_read_once_and_a_record_that_is_still_being_written_later(index: Index, journal_dir: Path) -> None:
    record = span(trace(1), 2)
    write(journal_dir, "a", span(trace(1), 1), record[:-1])
    assert (index.catch_up(), index.catch_up(), spans_of(index, trace(1))) == (1, 0, [1])
    write(journal_dir, "a", record[-1:])
    assert (index.catch_up(), index.catch_up(), spans_of(index, trace(1))) == (1, 0, [1, 2])


def test_a_span_is_found_by_the_beginning_of_its_id(index: Index, journal_dir: Path) -> None:
    write(journal_dir, "a", span(trace(1), 0xABCDEF0123456789), span(trace(2), 0xABCDEF9923456789))
    write(journal_dir, "a", span(trace(2), 0x89ABCDEF01234567, STARTED_SPAN))
    index.catch_up()
    first, second = (trace(1), "abcdef0123456789"), (trace(2), "abcdef9923456789")
    assert index.find_span("abcdef") == [first, second]
    assert index.find_span("abcdef0") == [first]
    assert index.find_span("abcdef9923456789") == [second]
    assert index.find_span("89abcd") == [(trace(2), "89abcdef01234567")]
    for nothing in ("abcdef3", "cdef01", "", "xyzxyz", "abcdef012345678900"):
        assert index.find_span(nothing) == []


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 2**64 - 1)), max_size=30),
    st.integers(1, 5),
)
def test_whatever_is_written_in_whatever_steps_is_found_by_trace_and_by_span(
    spans: list[tuple[str, int, int]], step: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        index = Index(Path(folder) / "index.db", Path(folder) / "journal", None)
        for number, (run, trace_number, span_number) in enumerate(spans):
            write(Path(folder) / "journal", run, span(trace(trace_number), span_number))
            if number % step == 0:
                index.catch_up()
        index.catch_up()
        for number in range(4):
            wanted = sorted(number_of for _, trace_number, number_of in spans if trace_number == number)
            assert spans_of(index, trace(number)) == wanted
        for _, trace_number, span_number in spans:
            assert (trace(trace_number), f"{span_number:016x}") in index.find_span(f"{span_number:016x}")
        grown = state_of(index)
        index.close()
        rebuilt = Index(Path(folder) / "new.db", Path(folder) / "journal", None)
        rebuilt.catch_up()
        assert state_of(rebuilt) == grown
        rebuilt.close()


def test_damage_is_counted_once_and_what_stands_around_it_is_found(index: Index, journal_dir: Path) -> None:
    broken = bytearray(span(trace(1), 2))
    broken[20] ^= 1
    write(journal_dir, "a", span(trace(1), 1), bytes(broken), span(trace(1), 3))
    index.catch_up()
    index.catch_up()
    assert spans_of(index, trace(1)) == [1, 3]
    assert index.losses(["a"], [trace(1)]) == {"dropped": 0, "damaged": 1}


@pytest.mark.parametrize(
    ("field", "body"),
    [
        (ENDED_SPAN, b"no protobuf"),
        (ENDED_SPAN, b""),
        (LOG_RECORD, b"\xff" * 20),
        (ENDED_SPAN, b"\x12\x08\x12\x06\x0a\x04abcd"),  # a trace id of four bytes
        (STARTED_SPAN, b"\x12\x12\x12\x10\x12\x0e" + b"x" * 14),
    ],
)
def test_a_whole_record_that_names_no_trace_is_counted_as_damaged(
    index: Index, journal_dir: Path, field: int, body: bytes
) -> None:
    write(journal_dir, "a", span(trace(1), 1), frame(field, body), span(trace(1), 2))
    index.catch_up()
    assert spans_of(index, trace(1)) == [1, 2]
    assert index.all_losses()["damaged"] == 1


def test_what_runs_say_of_themselves_is_counted(index: Index, journal_dir: Path) -> None:
    write(journal_dir, "a", span(trace(1), 1, **{"agentos.cut": 3}), span(trace(1), 2, **{"agentos.late": True}))
    write(journal_dir, "a", said(op="lost", kind="dropped", traces={trace(1): 2, "": 1}))
    write(journal_dir, "a", end("a", dropped=4))
    index.catch_up()
    assert index.all_losses() == {"dropped": 7, "cut": 3, "damaged": 0, "late": 1}
    assert index.losses(["a"], [trace(1)]) == {"dropped": 6, "damaged": 0}


@pytest.mark.parametrize(
    "statement",
    [
        {"op": "run_end", "dropped": "many"},
        {"op": "lost", "traces": [1]},
        {"op": "lost", "traces": {"no hex": -3}},
        {"op": "state", "at": "yesterday"},
        {"op": ["list"]},
        {"op": "end", "at": 1 << 80},
    ],
)
def test_a_statement_of_another_version_says_nothing_and_stops_nothing(
    index: Index, journal_dir: Path, statement: dict[str, object]
) -> None:
    write(journal_dir, "a", said(**statement), span(trace(1), 1))
    index.catch_up()
    assert spans_of(index, trace(1)) == [1]
    assert index.all_losses()["dropped"] == 0


def test_one_file_of_a_newer_version_is_refused_by_name_and_the_others_are_read(
    index: Index, journal_dir: Path
) -> None:
    newer = bytearray(span(trace(1), 1))
    newer[-6] = 1
    path = write(journal_dir, "new", bytes(newer))
    write(journal_dir, "old", span(trace(1), 2))
    index.catch_up()
    assert spans_of(index, trace(1)) == [2]
    (why,) = index.refused()
    assert "new.otlp was written by a newer version" in why
    path.write_bytes(span(trace(1), 1))
    index.catch_up()
    assert (spans_of(index, trace(1)), index.refused()) == ([1, 2], [])


def test_links_and_pipes_among_the_journals_are_passed_over(index: Index, journal_dir: Path, tmp_path: Path) -> None:
    folder = write(journal_dir, "a", span(trace(1), 1)).parent
    secret = tmp_path / "elsewhere.otlp"
    secret.write_bytes(span(trace(1), 2))
    (folder / "link.otlp").symlink_to(secret)
    os.mkfifo(folder / "pipe.otlp")
    (folder / "folder.otlp").mkdir()
    assert index.catch_up() == 1
    assert spans_of(index, trace(1)) == [1]


def test_two_indexers_at_once_read_everything_once(tmp_path: Path, journal_dir: Path) -> None:
    first, second = (Index(tmp_path / "index.db", journal_dir, None) for _ in range(2))
    for number in range(20):
        write(journal_dir, f"run{number % 3}", span(trace(1), number))
        assert (first if number % 2 else second).catch_up() == 1
    assert first.catch_up() == second.catch_up() == 0
    assert spans_of(first, trace(1)) == list(range(20))
    first.close()
    second.close()


def test_an_index_of_an_older_version_is_built_anew(tmp_path: Path, journal_dir: Path) -> None:
    write(journal_dir, "a", span(trace(1), 1))
    old = sqlite3.connect(tmp_path / "index.db")
    old.executescript("CREATE TABLE files (path TEXT); CREATE TABLE slices (x); PRAGMA user_version = 1;")
    old.close()
    index = Index(tmp_path / "index.db", journal_dir, None)
    index.catch_up()
    assert spans_of(index, trace(1)) == [1]
    index.close()


def test_an_index_of_a_newer_version_is_refused_with_a_clear_line(tmp_path: Path, journal_dir: Path) -> None:
    newer = sqlite3.connect(tmp_path / "index.db")
    newer.execute(f"PRAGMA user_version = {VERSION + 1}")
    newer.close()
    with pytest.raises(StorageError, match="written by a newer agentos-otel") as refused:
        Index(tmp_path / "index.db", journal_dir, None)
    assert not is_open(tmp_path / "index.db"), refused


def is_open(path: Path) -> bool:
    """Whether this process has a file open."""
    links = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - it changes
    return any(os.path.realpath(link) == str(path) for link in links)


def test_an_index_that_is_damaged_or_held_is_one_clear_line(tmp_path: Path, journal_dir: Path) -> None:
    write(journal_dir, "a", span(trace(1), 1))
    index = Index(tmp_path / "index.db", journal_dir, None)
    index.connection.execute("PRAGMA busy_timeout = 1")
    holder = sqlite3.connect(tmp_path / "index.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="another reader is at it: try again"):
        index.catch_up()
    holder.execute("ROLLBACK")
    holder.close()
    assert index.catch_up() == 1
    index.close()
    (tmp_path / "index.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match="delete it, it is rebuilt from the journals") as refused:
        Index(tmp_path / "index.db", journal_dir, None)
    assert not is_open(tmp_path / "index.db"), refused
