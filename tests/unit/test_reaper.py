"""Dead runs are finished once, whole, by whoever looks first; living and waiting ones are left alone."""

from __future__ import annotations

import json
import os
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentos_otel import TaskManager, guard, stage, task, tool
from agentos_otel.context.attempt import Attempt
from agentos_otel.context.current import current_attempt
from agentos_otel.context.resource import boot_id, host_name
from agentos_otel.journal import waiting
from agentos_otel.journal.reader import parse
from agentos_otel.journal.record import ENDED_SPAN, STATEMENT, frame
from agentos_otel.journal.writer import Journal
from agentos_otel.query.closing import close
from agentos_otel.store import reaper
from agentos_otel.store.dead_run import cut_torn_tail
from agentos_otel.tracing import runtime as runtimes
from agentos_otel.tracing.decorators import Mark
from agentos_otel.tracing.roots import end_attempt
from agentos_otel.tracing.runtime import ForeignParent
from tests.unit.processes import Host, Process


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    guard.raise_failures = True
    yield Host(tmp_path / "state")
    runtimes.install(None)
    guard.raise_failures = False


@tool
def read() -> None: ...


def call(point: Mark) -> None:
    """Enter and leave a point."""
    with point:
        pass


def begin(*points: Mark) -> None:
    """Enter points that nobody leaves."""
    for point in points:
        point.__enter__()


def killed_in_a_stage(host: Host) -> Path:
    """Run a process that is killed inside a stage of a task that it owns."""
    process = host.process()
    process.do(begin, task("work"), stage("execution"))
    process.do(read)
    return process.kill()


def test_what_a_killed_owner_left_open_is_abandoned_and_its_task_fails_at_its_last_record(host: Host) -> None:
    before = time.time_ns()
    path = killed_in_a_stage(host)
    after = time.time_ns()
    os.utime(path)  # neither the time of reaping nor the file's own says when it died
    time.sleep(0.02)
    (found,) = host.look()
    assert [(span["name"], span["status"]) for span in found["spans"]] == [
        ("task work", "abandoned"),
        ("stage execution", "abandoned"),
        ("execute_tool read", "ok"),
    ]
    ends = {span["name"]: span["end_ns"] for span in found["spans"]}
    assert ends["task work"] == ends["stage execution"] == ends["execute_tool read"]
    assert before <= found["task"]["ended_ns"] == ends["task work"] <= after
    assert (found["task"]["status"], found["task"]["error_type"]) == ("failed", "abandoned")
    assert found["runs"][0]["state"] == "ended"


def test_what_the_reaper_writes_stands_in_the_dead_runs_own_file(host: Host) -> None:
    path = killed_in_a_stage(host)
    size = path.stat().st_size
    host.look()
    assert path.stat().st_size > size
    assert [file.name for file in host.live.iterdir()] == [path.name]


def test_a_living_run_is_never_touched_and_shows_as_running(host: Host) -> None:
    process = host.process()
    process.do(begin, task("work"), stage("execution"))
    size = process.runtime.journal.path.stat().st_size
    (found,) = host.look()
    assert {span["status"] for span in found["spans"]} == {"running"}
    assert found["runs"][0]["state"] == "live"
    assert process.runtime.journal.path.stat().st_size == size


def test_a_task_that_waits_is_never_touched(host: Host) -> None:
    process = host.process()
    process.do(call, stage("intent"))
    path = process.exit()
    size = path.stat().st_size
    assert host.reap() == 0
    (found,) = host.look()
    assert (found["task"]["status"], found["task"]["ended_ns"]) == ("waiting", None)
    assert path.stat().st_size == size


def test_a_killed_stage_of_a_task_without_an_owner_leaves_it_waiting(host: Host) -> None:
    process = host.process()
    process.do(begin, stage("intent"))
    process.kill()
    (found,) = host.look()
    assert found["task"]["status"] == "waiting"
    assert [span["status"] for span in found["spans"] if span["kind"] == "stage"] == ["abandoned"]


def test_looking_again_changes_nothing(host: Host) -> None:
    path = killed_in_a_stage(host)
    first, size = host.look(), path.stat().st_size
    assert host.reap() == 0
    assert host.look() == first
    assert path.stat().st_size == size


def test_eight_reapers_at_once_write_each_end_once(host: Host) -> None:
    for _ in range(5):
        killed_in_a_stage(host)
    barrier = threading.Barrier(8)

    def reap_too() -> None:
        barrier.wait()
        host.reap()

    reapers = [threading.Thread(target=reap_too) for _ in range(8)]
    for thread in reapers:
        thread.start()
    for thread in reapers:
        thread.join()
    ended = host.ended()
    assert len(ended) == len(set(ended)) == 15
    assert {found["task"]["status"] for found in host.look()} == {"failed"}


def copied(path: Path, data: bytes, tasks: bytes, folder: Path) -> Host:
    """Return a host whose one journal is `data`, with a copy of the task store."""
    copy = Host(folder)
    copy.live.mkdir(parents=True)
    (copy.live / path.name).write_bytes(data)
    (folder / "tasks.db").write_bytes(tasks)
    return copy


def test_a_reaper_that_is_killed_anywhere_in_its_work_is_followed_by_another(host: Host, tmp_path: Path) -> None:
    path = killed_in_a_stage(host)
    dead, tasks = path.read_bytes(), (host.settings.state_dir / "tasks.db").read_bytes()
    host.look()
    reaped, expected = path.read_bytes(), sorted(host.ended())
    assert reaped.startswith(dead)
    written = [record for record in parse(reaped).records if record.offset >= len(dead)]
    assert len(written) == 5  # the stage, the end, the leaving, the root, the end record
    for record in written:
        for size in (
            record.offset,
            record.offset + 1,
            record.offset + record.size // 2,
            record.offset + record.size - 1,
        ):
            again = copied(path, reaped[:size], tasks, tmp_path / f"state{size}")
            (found,) = again.look()
            assert sorted(again.ended()) == expected
            assert not any(found["losses"].values())
            assert found["task"]["status"] == "failed"


def test_a_record_that_the_kill_cut_short_is_taken_away_and_nothing_else(host: Host, tmp_path: Path) -> None:
    path = killed_in_a_stage(host)
    dead, tasks = path.read_bytes(), (host.settings.state_dir / "tasks.db").read_bytes()
    torn = frame(STATEMENT, b'{"op":"state","task_id":"x","status":"executing","at":1}')
    (expected,) = host.look()
    for size in (1, 2, 30, len(torn) - 9, len(torn) - 1):
        again = copied(path, dead + torn[:size], tasks, tmp_path / f"state{size}")
        (found,) = again.look()
        assert found["spans"] == expected["spans"]
        assert found["losses"]["damaged"] == 0


@pytest.mark.parametrize("length", [0, 1, 127, 128, 20_000])
def test_every_beginning_of_a_record_is_torn_and_a_whole_one_is_not(tmp_path: Path, length: int) -> None:
    record, file = frame(STATEMENT, b"x" * length), tmp_path / "file"
    for size in {*range(1, min(len(record), 200)), *range(len(record) - 10, len(record) + 1)}:
        file.write_bytes(b"before" + record[:size])
        with file.open("r+b") as opened:
            cut = cut_torn_tail(opened.fileno(), 6)
        assert cut == (size if size < len(record) else 0)
        assert file.read_bytes() == b"before" + (record if size == len(record) else b"")


def test_a_damaged_record_at_the_end_is_kept_and_counted(host: Host) -> None:
    path = killed_in_a_stage(host)
    data = bytearray(path.read_bytes())
    data[-20] ^= 1  # within the end of `read`
    path.write_bytes(data)
    (found,) = host.look()
    assert found["losses"]["damaged"] == 1
    assert path.read_bytes().startswith(bytes(data))


def test_a_link_planted_among_the_journals_is_not_followed(host: Host, tmp_path: Path) -> None:
    killed_in_a_stage(host)
    victim = tmp_path / "victim"
    victim.write_bytes(b"\x62\x05")
    (host.live / "0123456789abcdef.otlp").symlink_to(victim)
    os.mkfifo(host.live / "fedcba9876543210.otlp")
    guard.raise_failures = False
    assert host.reap() == 1
    assert victim.read_bytes() == b"\x62\x05"


def test_a_run_that_could_not_reach_the_store_is_settled_from_its_journal_alone(host: Host) -> None:
    process = host.process()
    process.runtime.store = None
    process.do(begin, task("work"))
    process.do(read)
    process.kill()
    (found,) = host.look()
    assert (found["task"]["status"], found["task"]["error_type"]) == ("failed", "abandoned")
    assert [(span["name"], span["status"]) for span in found["spans"]] == [
        ("task work", "abandoned"),
        ("execute_tool read", "ok"),
    ]


@pytest.mark.parametrize("owned", [True, False])
def test_without_a_task_store_open_spans_are_abandoned_and_the_rest_is_for_whoever_has_one(
    host: Host, owned: bool
) -> None:
    process = host.process()
    process.do(begin, *([task("work")] if owned else []), stage("execution"))
    process.kill()
    journals = host.settings.journal_dir
    assert reaper.reap(journals, host_name(), None) == 1
    assert reaper.reap(journals, host_name(), None) == 0
    assert len(host.ended()) == 1
    assert host.reap() == 1
    assert host.reap() == 0
    assert len(host.ended()) == len(set(host.ended())) == (2 if owned else 1)
    assert host.look()[0]["task"]["status"] == ("failed" if owned else "waiting")


def test_what_a_run_owes_is_written_down_once_however_often_others_look(host: Host) -> None:
    owner = host.process()
    owner.do(begin, task("work"))
    child = host.process(owner.carrier())
    child.do(begin, stage("execution"))
    path = owner.kill()
    host.look()
    size = path.stat().st_size
    host.look()
    assert path.stat().st_size == size


def test_a_task_that_was_hidden_while_it_ran_is_finished_all_the_same(host: Host) -> None:
    process = host.process()
    process.do(begin, task("work"))
    (found,) = host.look()
    space = host.workspace()
    TaskManager(space).delete(found["task"]["task_id"])
    space.close()
    path = process.kill()
    assert host.look() == []
    size = path.stat().st_size
    assert host.reap() == 0
    assert path.stat().st_size == size
    assert len(host.ended()) == 1


def test_a_stage_that_a_thread_is_in_when_the_process_exits_is_abandoned(host: Host) -> None:
    process = host.process()
    process.do(call, task("work"))
    process.do(begin, stage("execution"))
    process.exit()
    work, execution = host.look()
    assert [span["status"] for span in work["spans"]] == ["ok"]
    assert [span["status"] for span in execution["spans"] if span["kind"] == "stage"] == ["abandoned"]


def test_a_disk_that_is_full_amid_the_work_is_no_loss(host: Host) -> None:
    path = killed_in_a_stage(host)
    guard.raise_failures = False
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 20, 300):
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
        try:
            reaper.reap(host.settings.journal_dir, host_name(), None)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (found,) = host.look()
    assert [span["status"] for span in found["spans"]] == ["abandoned", "abandoned", "ok"]
    assert found["losses"]["damaged"] == 0
    assert len(host.ended()) == len(set(host.ended())) == 3


def descriptor_of(process: Process) -> int:
    journal = process.runtime.journal
    assert isinstance(journal, Journal)
    assert journal._file is not None
    return journal._file


def fill_disk_of(process: Process) -> None:
    os.dup2(full := os.open("/dev/full", os.O_WRONLY), descriptor_of(process))
    os.close(full)


def begun_on_a_disk_that_is_full_when_its_task_ends(host: Host) -> Process:
    """Run a process whose journal takes nothing from the end of its task on; the tables do."""
    process = host.process()
    work = task("work")
    process.do(begin, work)
    fill_disk_of(process)
    process.do(work.__exit__, None, None, None)
    return process


def test_a_root_that_a_full_disk_took_from_a_killed_process_is_written_from_the_tables(host: Host) -> None:
    begun_on_a_disk_that_is_full_when_its_task_ends(host).kill()
    for _ in range(2):
        (found,) = host.look()
        assert [(span["name"], span["status"]) for span in found["spans"]] == [("task work", "ok")]
        assert found["task"]["status"] == "completed"
        assert found["spans"][0]["end_ns"] == found["task"]["ended_ns"]
    assert len(host.ended()) == 1


@pytest.mark.parametrize("ends", [False, True])
def test_a_task_of_which_a_full_disk_left_the_start_of_its_root_alone_is_ended(
    host: Host, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    process = host.process()
    append = process.runtime.append

    def append_start_alone(record: bytes) -> bool:
        kept = append(record)
        fill_disk_of(process)
        return kept

    monkeypatch.setattr(process.runtime, "append", append_start_alone)
    work = task("work")
    process.do(begin, work)
    if ends:
        process.do(work.__exit__, None, None, None)
    process.kill()
    for _ in range(2):
        (found,) = host.look()
        assert [(span["name"], span["status"]) for span in found["spans"]] == [
            ("task work", "ok" if ends else "abandoned")
        ]
        assert found["task"]["status"] == ("completed" if ends else "failed")
    assert len(host.ended()) == 1


def test_a_root_for_which_there_is_no_room_at_all_is_left_to_the_reaper(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAX_WAITING", 0)
    process = host.process()
    work, first = task("work"), stage("execution")
    process.do(begin, work, first)
    journal = process.runtime.journal
    descriptor = descriptor_of(process)
    kept = os.dup(descriptor)
    fill_disk_of(process)
    process.do(first.__exit__, None, None, None)
    process.do(work.__exit__, None, None, None)
    assert journal.dropped
    os.dup2(kept, descriptor)
    os.close(kept)
    time.sleep(0.1)
    process.exit()
    (found,) = host.look()
    assert {span["name"]: span["status"] for span in found["spans"]}["task work"] == "ok"
    assert len(host.ended()) == len(set(host.ended()))


def test_a_journal_with_a_record_that_cannot_be_understood_is_finished_as_the_others_are(host: Host) -> None:
    first = frame(STATEMENT, b'{"op":"run"}') + frame(ENDED_SPAN, b"no message of protobuf")
    killed_in_a_stage(host)
    for name in ("0" * 16, "f" * 16):
        (host.live / f"{name}.otlp").write_bytes(first)
    assert host.reap() == 3


# --- several runs in one attempt ---


def test_the_root_of_a_dead_owner_waits_until_no_run_of_the_attempt_lives(host: Host) -> None:
    owner = host.process()
    owner.do(begin, task("work"))
    child = host.process(owner.carrier())
    child.do(begin, stage("execution"))
    owner.kill()
    for _ in range(2):
        (found,) = host.look()
        assert found["task"]["ended_ns"] is None
        assert {span["name"]: span["status"] for span in found["spans"]} == {
            "task work": "running",
            "stage execution": "running",
        }
    assert not host.ended()
    child.do(read)
    child.kill()
    (found,) = host.look()
    assert (found["task"]["status"], found["task"]["error_type"]) == ("failed", "abandoned")
    assert [(span["name"], span["status"]) for span in found["spans"]] == [
        ("task work", "abandoned"),
        ("stage execution", "abandoned"),
        ("execute_tool read", "ok"),
    ]
    root, _, last = found["spans"]
    assert root["end_ns"] >= last["end_ns"]
    assert len(host.ended()) == len(set(host.ended())) == 3


def test_what_a_dead_owner_cannot_end_any_more_a_living_run_may(host: Host) -> None:
    owner = host.process()
    owner.do(begin, task("work"))
    child = host.process(owner.carrier())
    child.do(begin, stage("execution"))
    owner.kill()
    (found,) = host.look()
    space = host.workspace()
    close(space, found["task"]["task_id"], "completed")
    space.close()
    child.exit()
    (found,) = host.look()
    assert found["task"]["status"] == "completed"
    assert len(host.ended()) == len(set(host.ended())) == 2


def test_the_end_that_a_killed_run_had_claimed_is_carried_out_with_its_values(host: Host) -> None:
    bearer = host.process()
    bearer.do(call, stage("intent", produces={"intent_id": "intent_abcdefgh"}))
    bearer.exit()
    ender = host.process()
    ender.do(begin, stage("execution", joins={"intent_id": "intent_abcdefgh"}))
    at = time.time_ns() + 5
    claim(host, ender, "completed", at)
    ender.kill()
    (found,) = host.look()
    root = next(span for span in found["spans"] if span["parent_span_id"] is None)
    assert (root["status"], root["end_ns"], root["run_id"]) == ("ok", at, bearer.runtime.run_id)
    assert found["task"]["status"] == "completed"
    assert len(host.ended()) == len(set(host.ended())) == 3


def test_the_end_that_a_killed_run_had_claimed_too_late_is_not_written(host: Host) -> None:
    bearer = host.process()
    bearer.do(call, stage("intent", produces={"intent_id": "intent_abcdefgh"}))
    bearer.exit()
    space = host.workspace()
    close(space, host.look()[0]["task"]["task_id"], "failed")
    space.close()
    loser = host.process()
    loser.runtime.journal.state(join_of(host, loser))
    claim(host, loser, "completed", time.time_ns())
    loser.kill()
    (found,) = host.look()
    assert found["task"]["status"] == "failed"
    assert len(host.ended()) == len(set(host.ended())) == 2


def claim(host: Host, process: Process, status: str, at: int) -> None:
    """Do what a run does before it writes the root: say the end, and win the claim if nobody has."""
    (found,) = host.look()
    end = {"op": "end", "task_id": found["task"]["task_id"], "attempt": 1, "status": status, "error_type": None}
    end.update(root_span_id=found["attempts"][0]["root_span_id"], run_id=process.runtime.run_id, at=at)
    process.runtime.journal.state(end)
    process.runtime.flush([end])


def join_of(host: Host, process: Process) -> dict[str, Any]:
    task_id = host.look()[0]["task"]["task_id"]
    return {"op": "join", "run_id": process.runtime.run_id, "task_id": task_id, "attempt": 1, "at": time.time_ns()}


def test_a_written_root_that_hangs_under_a_foreign_span_is_not_written_again(host: Host) -> None:
    process = host.process()
    process.runtime.options.foreign = ForeignParent(b"t" * 16, b"s" * 8, sampled=True)
    process.runtime.options.parent_from_environment = True
    process.do(call, task("ended"))
    process.do(begin, task("killed"))
    process.kill()
    found = host.look()
    assert [each["task"]["status"] for each in found] == ["completed", "failed"]
    assert {span["parent_span_id"] for each in found for span in each["spans"]} == {(b"s" * 8).hex()}
    assert len(host.ended()) == len(set(host.ended())) == 2


def test_the_root_that_the_reaper_writes_has_the_hosts_own_id_of_the_task(host: Host) -> None:
    process = host.process()
    process.do(begin, task("work"), stage("intent", task="row_0000000042"))
    process.kill()
    (found,) = host.look()
    (root,) = (span for span in found["spans"] if span["parent_span_id"] is None)
    assert root["attributes"]["agentos.host_task_id"] == "row_0000000042"


def test_two_threads_that_end_one_task_write_one_root(host: Host) -> None:
    for number in range(20):
        process = host.process()
        barrier = threading.Barrier(2)

        def end(joined: Attempt, process: Process = process, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            end_attempt(process.runtime, joined, "completed")

        process.do(begin, stage(f"stage-{number}"))
        attempt = process.do(current_attempt)
        assert attempt is not None
        threads = [threading.Thread(target=end, args=(attempt,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        process.kill()
    documents = host.look()
    assert {found["task"]["status"] for found in documents} == {"completed"}
    assert len(documents) == 20
    assert len(host.ended()) == len(set(host.ended())) == 40


def moved(path: Path, boot: str) -> Path:
    """Move a journal to another host, whose kernel has the id `boot`."""
    elsewhere = path.parent.with_name("elsewhere")
    elsewhere.mkdir(exist_ok=True)
    data = path.read_bytes()
    first = parse(data).records[0]
    said = {**json.loads(first.body), "boot": boot, "host": "elsewhere"}
    path.unlink()
    (elsewhere / path.name).write_bytes(frame(STATEMENT, json.dumps(said).encode()) + data[first.size :])
    return elsewhere / path.name


def test_a_run_of_another_machine_is_left_to_it_and_the_root_waits_for_it(host: Host) -> None:
    owner = host.process()
    owner.do(begin, task("work"))
    child = host.process(owner.carrier())
    child.runtime.options.host = "elsewhere"
    child.do(begin, stage("execution"))
    path = moved(child.kill(), boot="1234")
    size = path.stat().st_size
    owner.kill()
    (found,) = host.look()
    assert found["task"]["ended_ns"] is None
    assert path.stat().st_size == size
    space = host.workspace()
    reaper.reap(space.journal_dir, "elsewhere", space.store)
    space.close()
    assert host.look()[0]["task"]["error_type"] == "abandoned"


def test_a_run_of_a_container_of_this_machine_is_finished_from_outside(host: Host) -> None:
    owner = host.process()
    owner.do(begin, task("work"))
    child = host.process(owner.carrier())
    child.runtime.options.host = "elsewhere"
    child.do(begin, stage("execution"))
    moved(child.kill(), boot=boot_id())
    owner.kill()
    (found,) = host.look()
    assert {span["status"] for span in found["spans"]} == {"abandoned"}
    assert len(host.ended()) == len(set(host.ended())) == 2


# --- what comes after the root ---


def test_a_run_that_joins_after_the_root_was_written_says_that_it_is_late(host: Host) -> None:
    owner = host.process()
    with_task = task("work")
    owner.do(begin, with_task)
    carrier = owner.carrier()
    owner.do(with_task.__exit__, None, None, None)
    late = host.process(carrier)
    late.do(call, stage("afterwards"))
    late.exit()
    (found,) = host.look()
    assert {run["run_id"]: run["late"] for run in found["runs"]} == {
        owner.runtime.run_id: False,
        late.runtime.run_id: True,
    }
    assert [span["attributes"].get("agentos.late") for span in found["spans"]] == [None, True]
    assert len({span["trace_id"] for span in found["spans"]}) == 1
    assert len(found["attempts"]) == 1


def test_a_run_that_stays_after_the_root_was_written_is_late_from_then_on(host: Host) -> None:
    owner = host.process()
    with_task = task("work")
    owner.do(begin, with_task)
    child = host.process(owner.carrier())
    child.do(call, stage("before"))
    child.do(begin, stage("across"))
    owner.do(with_task.__exit__, None, None, None)
    child.do(read)
    child.kill()
    (found,) = host.look()
    assert {run["run_id"]: run["late"] for run in found["runs"]}[child.runtime.run_id]
    assert {span["name"]: span["attributes"].get("agentos.late") for span in found["spans"]} == {
        "task work": None,
        "stage before": None,
        "stage across": True,
        "execute_tool read": True,
    }


def test_a_thread_that_goes_on_after_its_task_has_ended_says_so_on_its_spans(host: Host) -> None:
    process = host.process()
    with_task = task("work")
    process.do(begin, with_task)
    thread = process.fork_context()
    process.do(with_task.__exit__, None, None, None)
    thread.run(read)
    process.exit()
    (found,) = host.look()
    assert [(s["name"], s["attributes"].get("agentos.late")) for s in found["spans"]] == [
        ("task work", None),
        ("execute_tool read", True),
    ]


def test_a_run_that_died_before_the_end_and_was_found_after_it_is_not_late(host: Host) -> None:
    owner = host.process()
    with_task = task("work")
    owner.do(begin, with_task)
    child = host.process(owner.carrier())
    child.do(begin, stage("execution"))
    child.kill()
    owner.do(with_task.__exit__, None, None, None)
    owner.exit()
    (found,) = host.look()
    assert [run["late"] for run in found["runs"]] == [False, False]


def test_attempts_are_linked_both_ways(host: Host) -> None:
    for _ in range(3):
        process = host.process()
        point = stage(
            "execution", joins={"request_id": "request_12345678"}, produces={"request_id": "request_12345678"}
        )
        process.do(call, point)
        process.exit()
        task_id = host.look()[0]["task"]["task_id"]
        space = host.workspace()
        close(space, task_id, "completed")
        space.close()
    (found,) = host.look()
    first, second, third = (
        {"trace_id": attempt["trace_id"], "span_id": attempt["root_span_id"]} for attempt in found["attempts"]
    )
    assert [attempt["links"] for attempt in found["attempts"]] == [[second], [first, third], [second]]
    roots = [span for span in found["spans"] if span["parent_span_id"] is None]
    assert [root["links"] for root in roots] == [[second], [first, third], [second]]
