"""Caps of the journal: nothing beyond them, nothing dropped without being counted for its task."""

from __future__ import annotations

import itertools
import json
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import get_current_span

from agentos_otel import stage, task, tool
from agentos_otel.journal import writer
from agentos_otel.journal.reader import read_file
from agentos_otel.journal.record import ENDED_SPAN, MAX_RECORD, STATEMENT
from agentos_otel.journal.scanning import ids_of
from agentos_otel.journal.waiting import WaitingRecords
from agentos_otel.journal.writer import FULL, Journal
from tests.unit.conftest import Recorder
from tests.unit.journals import span, trace

_runs = itertools.count()


def journal(tmp_path: Path, max_bytes: int = writer.MAX_RUN_SIZE) -> Journal:
    return Journal(
        tmp_path / "journal/live/h", lambda: f"run{next(_runs)}", lambda run_id: {"op": "run"}, max_bytes=max_bytes
    )


def contents(made: Journal) -> tuple[int, list[dict[str, Any]]]:
    """Return the number of spans in a journal, and what else it says."""
    records = [record for path in sorted(made.path.parent.iterdir()) for record in read_file(path, final=True).records]
    said = [json.loads(record.body) for record in records if record.field == STATEMENT]
    return sum(record.field == ENDED_SPAN for record in records), said


def lost(said: list[dict[str, Any]]) -> dict[str, int]:
    """Return what was dropped, by trace; under no trace what only the end says."""
    total: dict[str, int] = {}
    for statement in said:
        for trace_id, records in statement.get("traces", {}).items():
            total[trace_id] = total.get(trace_id, 0) + records
    rest = said[-1].get("dropped", 0)
    return {**total, "": total.get("", 0) + rest} if rest else total


def test_a_process_that_has_written_its_share_writes_statements_alone(tmp_path: Path) -> None:
    made = journal(tmp_path, max_bytes=writer._GRANT)
    big = "x" * 1_000_000
    for number in range(40):
        made.append(span(trace(number % 2), number, text=big))
    assert made.state({"op": "state"})
    made.close({"op": "run_end"})
    spans, said = contents(made)
    assert spans == 16
    assert lost(said) == {trace(0): 12, trace(1): 12}
    assert said[-1] == {"op": "run_end", "dropped": 0}
    assert {"op": "state"} in said
    assert made.dropped == 24


def test_where_all_journals_are_full_nothing_is_written_until_there_is_room(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / FULL).touch()
    made = journal(tmp_path)
    assert not made.append(span(trace(1), 1))
    assert not made.append(span(trace(2), 2))
    (tmp_path / "journal" / FULL).unlink()
    assert made.append(span(trace(1), 3))
    made.close({"op": "run_end"})
    spans, said = contents(made)
    assert (spans, lost(said)) == (1, {trace(1): 1, trace(2): 1})


def test_a_record_that_no_backend_could_take_is_dropped_and_the_next_is_written(tmp_path: Path) -> None:
    made = journal(tmp_path)
    assert made.append(span(trace(1), 1))
    assert not made.append(span(trace(1), 2, text="x" * MAX_RECORD))
    assert made.append(span(trace(1), 3))
    made.close({"op": "run_end"})
    spans, said = contents(made)
    assert (spans, lost(said)) == (2, {trace(1): 1})


@contextmanager
def disk_full_at(size: int) -> Iterator[None]:
    """Let files of this process grow to `size` bytes and no more; writes are cut there, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def test_what_a_full_disk_has_no_room_for_waits_and_is_written_in_its_order_once_there_is_room(tmp_path: Path) -> None:
    made = journal(tmp_path)
    assert made.append(span(trace(1), 1))
    with disk_full_at(made.path.stat().st_size + 20):  # the first is cut by it
        for number in (2, 3):
            assert made.append(span(trace(2), number))
        assert made.state({"op": "end"})
    time.sleep(0.1)
    assert made.append(span(trace(1), 4))
    made.close({"op": "run_end"})
    spans, said = contents(made)
    assert (spans, lost(said)) == (4, {})
    assert [statement["op"] for statement in said if statement["op"] != "run"] == ["end", "run_end"]


def test_what_waited_in_vain_is_counted_at_the_end(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.append(span(trace(1), 1))
    with disk_full_at(made.path.stat().st_size):
        made.append(span(trace(2), 2))
        made.close({"op": "run_end"})
    assert made.dropped == 1


def test_only_so_much_waits_and_statements_longer_than_spans(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.append(span(trace(1), 1))
    with disk_full_at(made.path.stat().st_size):
        kept = [made.append(span(trace(2), number, text="x" * 100_000)) for number in range(12)]
        assert kept == [True] * 10 + [False] * 2
        assert made.state({"op": "end"})
    made.close({"op": "run_end"})
    spans, said = contents(made)
    assert (spans, lost(said)) == (11, {trace(2): 2})
    assert {"op": "end"} in said


def test_a_process_that_begins_on_a_full_disk_writes_all_once_there_is_room(tmp_path: Path) -> None:
    made = journal(tmp_path)
    with disk_full_at(0):
        assert made.append(span(trace(1), 1))
    assert not list(made.path.parent.iterdir())
    time.sleep(0.1)
    assert made.append(span(trace(1), 2))
    made.close({"op": "run_end"})
    spans, said = contents(made)
    assert (spans, lost(said)) == (2, {})


def test_a_segment_that_cannot_be_opened_leaves_no_closed_file_to_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = journal(tmp_path)
    made.append(span(trace(1), 1))
    for _ in range(2):  # into a second segment, and out of it
        with disk_full_at(max(path.stat().st_size for path in made.path.parent.iterdir()) + 20):
            made.append(span(trace(1), 2))
            monkeypatch.setattr(made, "_directory", tmp_path / "gone")
            time.sleep(0.1)
            made.append(span(trace(1), 3))
        hosts = (tmp_path / "hosts").open("wb", buffering=0)
        time.sleep(0.1)
        made.append(span(trace(1), 4))
        assert (tmp_path / "hosts").read_bytes() == b""
        hosts.close()
        monkeypatch.undo()
        time.sleep(0.1)
        made.append(span(trace(1), 5))
    made.close({"op": "run_end"})
    assert lost(contents(made)[1]) == {}


def test_a_signal_handler_that_logs_amid_a_late_write_comes_after_it() -> None:
    waiting, written = WaitingRecords(), []

    def write(record: bytes) -> None:
        written.append(record)
        if record == b"1":
            waiting.push(b"3")
            waiting.drain(write)

    waiting.push(b"1")
    waiting.push(b"2")
    waiting.drain(write)
    assert written == [b"1", b"2", b"3"]
    assert not waiting


def test_traces_beyond_a_thousand_are_counted_together(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / FULL).touch()
    made = journal(tmp_path)
    for number in range(1100):
        made.append(span(trace(number), 1))
    (tmp_path / "journal" / FULL).unlink()
    made.append(span(trace(0), 1))
    made.close({"op": "run_end"})
    losses = lost(contents(made)[1])
    assert (sum(losses.values()), losses[""], len(losses)) == (1100, 100, 1001)


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "journal/live").mkdir(parents=True)
    (tmp_path / "journal/live/h").symlink_to(tmp_path / "elsewhere")
    made = journal(tmp_path)
    assert not made.append(span(trace(1), 1))
    assert not list((tmp_path / "elsewhere").iterdir())
    assert made.dropped == 1


def test_a_link_planted_under_the_name_of_a_newborn_is_not_followed(tmp_path: Path) -> None:
    made = journal(tmp_path)
    target = tmp_path / "target"
    target.write_text("mine")
    made.path.parent.mkdir(parents=True)
    (made.path.parent / f".{made.run_id}.new").symlink_to(target)
    assert not made.append(span(trace(1), 1))
    assert target.read_text() == "mine"


def test_a_folder_that_is_removed_while_it_is_empty_is_made_again(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.path.parent.mkdir(parents=True)
    made.path.parent.rmdir()
    assert made.append(span(trace(1), 1))
    made.close({"op": "run_end"})


def test_a_span_that_is_too_large_gives_up_what_is_large_and_says_so(recorder: Recorder) -> None:
    @tool
    def work() -> None:
        span = get_current_span()
        for number in range(100):
            span.set_attribute(f"list_{number}", ["x" * 4000] * 20)
        span.set_attribute("small", 7)
        span.add_event("one", {"text": "y"})

    @stage("intent")
    def intent() -> None:
        work()

    with task("large"):
        intent()
    (found,) = [item for item in recorder.spans() if item["kind"] == "tool"]
    assert found["attributes"]["small"] == 7
    assert found["attributes"]["agentos.cut"] == 101
    assert recorder.documents()[0]["losses"]["cut"] == 101


def test_ids_of_a_dropped_record_are_those_that_it_carries() -> None:
    record = span(trace(5), 6)
    from agentos_otel.journal.reader import parse

    (parsed,) = parse(record).records
    assert ids_of(parsed.field, parsed.body)[0][0].hex() == trace(5)
