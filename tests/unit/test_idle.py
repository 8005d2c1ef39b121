"""A task of which nothing was heard for the idle time is ended as abandoned, at its last record; none that lives."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentos_otel import guard, settings, stage, task
from agentos_otel.errors import ConfigurationError
from agentos_otel.tracing import runtime as runtimes
from tests.unit.processes import Host, Process

DAY = 24 * 3600 * 10**9


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host that waits for a millisecond, as another does for two weeks."""
    guard.raise_failures = True
    yield Host(tmp_path / "state", idle_days=0.001 / 24 / 3600)
    runtimes.install(None)
    guard.raise_failures = False


def leave_waiting(process: Process, ids: dict[str, str] | None = None) -> None:
    def work() -> None:
        with stage("intent", joins=ids, produces=ids):
            pass

    process.do(work)
    process.exit()


def look_later(host: Host) -> dict[str, Any]:
    time.sleep(0.005)
    (found,) = host.look()
    return found


def test_a_task_that_waits_too_long_is_abandoned_at_its_last_record(host: Host) -> None:
    leave_waiting(host.process())
    found = look_later(host)
    assert (found["task"]["status"], found["task"]["error_type"]) == ("failed", "abandoned")
    (run,) = found["runs"]
    root, last = found["spans"]
    assert root["status"] == "abandoned"
    assert found["task"]["ended_ns"] == root["end_ns"] == run["left_ns"] >= last["end_ns"]
    assert look_later(host) == found


def test_a_task_whose_run_lives_is_left_alone_however_silent_it_is(host: Host) -> None:
    process = host.process()
    process.do(stage("intent").__enter__)
    assert look_later(host)["task"]["ended_ns"] is None
    owner = host.process()
    owner.do(task("work").__enter__)
    time.sleep(0.005)
    assert [found["task"]["ended_ns"] for found in host.look()] == [None, None]


def test_a_task_of_which_something_was_heard_is_left_alone(tmp_path: Path) -> None:
    host = Host(tmp_path / "state")
    leave_waiting(host.process())
    runtimes.install(None)
    assert look_later(host)["task"]["status"] == "waiting"


def test_what_a_host_that_never_comes_back_has_left_open_ends_too(host: Host) -> None:
    process = host.process()
    process.runtime.options.host = "gone"
    process.do(task("work").__enter__)
    path = process.kill()
    path.unlink()
    found = look_later(host)
    assert (found["task"]["status"], found["task"]["error_type"]) == ("failed", "abandoned")


def test_after_the_idle_time_an_id_begins_the_next_attempt(host: Host) -> None:
    ids = {"request_id": "request_12345678"}
    for _ in range(2):
        leave_waiting(host.process(), ids)
        found = look_later(host)
    assert [attempt["error_type"] for attempt in found["attempts"]] == ["abandoned", "abandoned"]


@pytest.mark.parametrize("text", ["0", "-1", "two weeks", "nan", "inf"])
def test_an_idle_time_that_is_no_number_of_days_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="AGENTOS_OTEL_IDLE_DAYS"):
        settings.read({"AGENTOS_OTEL_IDLE_DAYS": text, "AGENTOS_OTEL_STATE_DIR": "/nowhere"})
