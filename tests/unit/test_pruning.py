"""Retention: the oldest days go whole, with all that is known from them, and nothing that is still needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentos_otel.errors import NotFoundError
from agentos_otel.journal.writer import FULL
from agentos_otel.store.day_files import merge
from agentos_otel.store.pruning import prune, tell_full
from tests.unit.journals import DAY_NS, end, said, span, spans_of, trace, write
from tests.unit.test_projection import Place, born, ended


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Runs of four days: a task each, of which the second is open, and the third has a run of another host."""
    made = Place(tmp_path)
    for day in range(1, 5):
        joined = said(
            op="join", run_id=f"r{day}", task_id=f"task{day}", attempt=1, host="h" if day != 3 else "far", at=15
        )
        records = [*born(day), joined, *([ended(day)] if day != 2 else []), span(trace(day), day, text="x" * 1000)]
        path = write(made.journal_dir, f"r{day}", *records, end(f"r{day}"))
        os.utime(path, ns=(day * DAY_NS, day * DAY_NS))
    made.index.catch_up()
    merge(made.index, lambda path: True, at_least=1)
    yield made
    made.close()


def files(place: Place) -> list[str]:
    return sorted(path for path, _ in place.index.listing())


def size_of(place: Place) -> int:
    return sum(size for _, size in place.index.listing())


def test_what_ended_before_a_time_goes_with_its_rows_and_open_tasks_stay(place: Place) -> None:
    done = prune(place.index, place.store, 4 * DAY_NS, None, dry_run=False)
    assert done.files == ["done/1970-01-02.otlp", "done/1970-01-04.otlp"]
    assert done.kept == ["done/1970-01-03.otlp"]
    assert files(place) == ["done/1970-01-03.otlp", "done/1970-01-05.otlp"]
    assert list(place.tasks()) == ["task2", "task3", "task4"], "of task 3 another host may have more"
    assert done.tasks == 1
    assert [spans_of(place.index, trace(day)) for day in range(1, 5)] == [[], [2], [], [4]]
    assert place.index.find_span("0000000000000001") == []
    with pytest.raises(NotFoundError):
        place.store.task("task1")
    place.again("index.db")
    assert [spans_of(place.index, trace(day)) for day in range(1, 5)] == [[], [2], [], [4]]


def test_the_oldest_go_until_the_size_is_reached(place: Place) -> None:
    total = size_of(place)
    done = prune(place.index, place.store, None, total - 1, dry_run=False)
    assert done.files == ["done/1970-01-02.otlp"]
    assert done.size == size_of(place) == total - done.bytes
    assert prune(place.index, place.store, None, total, dry_run=False).files == []
    assert prune(place.index, place.store, None, 0, dry_run=False).kept == ["done/1970-01-03.otlp"]


def test_a_trial_says_what_would_go_and_leaves_it(place: Place) -> None:
    before = files(place)
    trial = prune(place.index, place.store, None, 0, dry_run=True)
    assert len(trial.files) == 3
    assert files(place) == before
    assert prune(place.index, place.store, None, 0, dry_run=False).files == trial.files


def test_what_is_not_merged_is_not_pruned(place: Place) -> None:
    path = write(place.journal_dir, "live", span(trace(9), 9))
    os.utime(path, ns=(DAY_NS, DAY_NS))
    place.index.catch_up()
    prune(place.index, place.store, 100 * DAY_NS, 0, dry_run=False)
    assert path.exists()
    assert spans_of(place.index, trace(9)) == [9]


def test_journals_beyond_their_size_are_marked_full_until_there_is_room(place: Place) -> None:
    full = place.journal_dir / FULL
    place.index.catch_up()
    tell_full(place.index, size_of(place))
    assert full.exists()
    tell_full(place.index, size_of(place) + 1)
    assert not full.exists()
    tell_full(place.index, 1)
    prune(place.index, place.store, None, 0, dry_run=False)
    tell_full(place.index, size_of(place) + 1)
    assert not full.exists()
