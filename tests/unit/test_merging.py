"""A task that was born while the store did not answer is merged into the one whose id it was given, and split again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentos_otel import guard, stage
from agentos_otel.errors import NotFoundError
from agentos_otel.query import merging
from agentos_otel.query.closing import close
from agentos_otel.query.erasing import erase
from agentos_otel.tasks.database import open_database
from agentos_otel.tasks.store import TaskStore
from agentos_otel.tracing import runtime as runtimes
from tests.unit.processes import Host

INTENT = "intent_abcdefgh"
RUN = "coordination_abcdefgh"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    guard.raise_failures = True
    yield Host(tmp_path / "state")
    runtimes.install(None)
    guard.raise_failures = False


def command(host: Host, name: str, *, store: bool = True, **ids: dict[str, str]) -> None:
    """Run a separate command of a chain: one stage; without `store` it finds none."""
    process = host.process()
    if not store:
        broken = host.settings.state_dir / "no-database"
        broken.mkdir(parents=True, exist_ok=True)
        process.runtime.store = TaskStore(open_database(f"sqlite://{broken}", 0.25))

    def work() -> None:
        with stage(name, joins=ids.get("joins"), produces=ids.get("produces")):
            pass

    process.do(work)
    process.exit()


def chain(host: Host) -> None:
    """Three commands; the store does not answer the second."""
    command(host, "intent", produces={"intent_id": INTENT})
    command(host, "coordination", store=False, joins={"intent_id": INTENT}, produces={"coordinator_run_id": RUN})
    host.look()
    command(host, "dry_execution", joins={"coordinator_run_id": RUN})


def stages(found: dict[str, Any]) -> list[str]:
    return [span["stage"] for span in found["spans"] if span["kind"] == "stage"]


def test_the_birth_is_shown_within_the_task_that_produced_its_id(host: Host) -> None:
    chain(host)
    (found,) = host.look()
    assert stages(found) == ["intent", "coordination", "dry_execution"]
    assert len({attempt["trace_id"] for attempt in found["attempts"]}) == 2
    assert {attempt["task_id"] for attempt in found["attempts"]} > {found["task"]["task_id"]}
    assert {ref["value"] for ref in found["refs"]} == {INTENT, RUN}
    assert len(found["runs"]) == 3


def test_every_id_of_either_leads_to_the_one_task(host: Host) -> None:
    chain(host)
    (found,) = host.look()
    space = host.workspace()
    ids = [INTENT, RUN, *(attempt[key] for attempt in found["attempts"] for key in ("trace_id", "task_id"))]
    assert {space.resolve(identifier) for identifier in ids} == {found["task"]["task_id"]}
    space.close()


def test_the_merged_trace_gets_its_root_and_a_link_to_the_task(host: Host) -> None:
    chain(host)
    (found,) = host.look()
    merged = next(a for a in found["attempts"] if a["task_id"] != found["task"]["task_id"])
    root = next(span for span in found["spans"] if span["span_id"] == merged["root_span_id"])
    assert (root["status"], merged["status"]) == ("ok", "completed")
    main = next(a for a in found["attempts"] if a["task_id"] == found["task"]["task_id"])
    assert root["links"] == [{"trace_id": main["trace_id"], "span_id": main["root_span_id"]}]
    assert found["task"]["status"] == "waiting"


def test_split_undoes_a_merge_for_good(host: Host) -> None:
    command(host, "intent", produces={"intent_id": INTENT})
    command(host, "coordination", store=False, joins={"intent_id": INTENT})
    (found,) = host.look()
    merged = next(a["task_id"] for a in found["attempts"] if a["task_id"] != found["task"]["task_id"])
    space = host.workspace()
    assert merging.split(space, merged[:8]) == merged
    space.close()
    assert sorted(stages(each) for each in host.look()) == [["coordination"], ["intent"]]
    space = host.workspace()
    with pytest.raises(NotFoundError, match="no merged task"):
        merging.split(space, merged)
    space.close()


def test_merges_and_splits_are_in_the_journals_from_which_the_tables_are_rebuilt(host: Host) -> None:
    chain(host)
    before = host.look()
    for path in host.settings.state_dir.glob("*.db*"):
        path.unlink()
    assert host.look() == before
    merged = next(a["task_id"] for a in before[0]["attempts"] if a["task_id"] != before[0]["task"]["task_id"])
    space = host.workspace()
    merging.split(space, merged)
    space.close()
    before = host.look()
    for path in host.settings.state_dir.glob("*.db*"):
        path.unlink()
    assert host.look() == before
    assert len(before) == 2


def test_a_birth_whose_id_two_tasks_produced_stays_alone(host: Host) -> None:
    for name in ("one", "two"):
        command(host, name, produces={"intent_id": INTENT})
    command(host, "coordination", store=False, joins={"intent_id": INTENT})
    assert len(host.look()) == 3


def test_a_birth_that_the_store_was_asked_about_is_never_merged(host: Host) -> None:
    command(host, "coordination", joins={"intent_id": INTENT})
    command(host, "intent", produces={"intent_id": INTENT})
    assert len(host.look()) == 2


def test_a_producer_that_is_found_later_is_merged_with_then(host: Host) -> None:
    command(host, "coordination", store=False, joins={"intent_id": INTENT})
    assert len(host.look()) == 1
    command(host, "intent", produces={"intent_id": INTENT})
    assert len(host.look()) == 1


def test_births_that_follow_each_other_without_a_store_all_lead_to_the_first(host: Host) -> None:
    command(host, "dry_execution", store=False, joins={"coordinator_run_id": RUN})
    host.look()
    command(host, "coordination", store=False, joins={"intent_id": INTENT}, produces={"coordinator_run_id": RUN})
    host.look()
    command(host, "intent", produces={"intent_id": INTENT})
    (found,) = host.look()
    assert sorted(stages(found)) == ["coordination", "dry_execution", "intent"]


def test_the_end_of_the_task_leaves_nothing_open(host: Host) -> None:
    chain(host)
    (found,) = host.look()
    space = host.workspace()
    close(space, found["task"]["task_id"], "completed")
    space.close()
    (found,) = host.look()
    assert {attempt["status"] for attempt in found["attempts"]} == {"completed"}
    assert not [span for span in found["spans"] if span["status"] == "running"]


def test_erasing_the_task_erases_what_was_merged_into_it(host: Host) -> None:
    chain(host)
    (found,) = host.look()
    space = host.workspace()
    erase(space, found["task"]["task_id"])
    space.close()
    assert host.look() == []
    text = b"".join(path.read_bytes() for path in host.settings.journal_dir.rglob("*.otlp"))
    for attempt in found["attempts"]:
        assert attempt["task_id"].encode() not in text


def test_an_id_whose_producer_the_store_missed_leads_there_at_once(host: Host) -> None:
    command(host, "intent", store=False, produces={"intent_id": INTENT})
    command(host, "coordination", joins={"intent_id": INTENT}, produces={"coordinator_run_id": RUN})
    command(host, "dry_execution", joins={"coordinator_run_id": RUN})
    (found,) = host.look()
    assert stages(found) == ["intent", "coordination", "dry_execution"]
    assert len(found["attempts"]) == 1
    assert {span["trace_id"] for span in found["spans"]} == {found["task"]["trace_id"]}
