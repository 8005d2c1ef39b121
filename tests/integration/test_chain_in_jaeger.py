"""AgentOS's chain of separate processes, as its user sees it: a real Collector, a real Jaeger, each task a tree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentos_otel import semconv
from tests.agentos.chain import Chain
from tests.agentos.fake_model import FakeModel
from tests.agentos.hosts import stand_in
from tests.integration.backends import CollectorServer, JaegerServer
from tests.integration.homes import Home, arrived, in_jaeger
from tests.integration.seen import is_whole, shape, shown

pytestmark = [pytest.mark.jaeger, pytest.mark.agentos, pytest.mark.git, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, collector: CollectorServer) -> Iterator[Chain]:
    """The chain on the stand-in with the endpoint set; what its short commands left is sent at the end."""
    with FakeModel() as model:
        host = stand_in("HEAD", tmp_path_factory.mktemp("host"))
        made = Chain(host, tmp_path_factory.mktemp("chain"), model.url)
        made.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
        made.traced(*made.steps)
        made.run([host.python, "-m", "agentos_otel", "forward", "--once"])
        yield made


@pytest.fixture(scope="module")
def ended(chain: Chain) -> list[dict[str, Any]]:
    """Every task of the chain that has ended, as it lies here."""
    found = [document for document in chain.documents() if document["task"]["status"] in ("completed", "failed")]
    assert {"intent", "pipeline", "launch", "runner"} <= {document["task"]["name"] for document in found}
    return found


@pytest.fixture(scope="module")
def home(chain: Chain, jaeger: JaegerServer) -> Home:
    return Home(chain.folder, jaeger.url)


@pytest.fixture
def elsewhere(tmp_path: Path, jaeger: JaegerServer) -> Home:
    """Another machine: nothing of the chain lies there."""
    return Home(tmp_path, jaeger.url)


def the_chain_s_own(ended: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = (document for document in ended if document["task"]["name"] == "intent")
    return found


def test_every_task_that_has_ended_is_in_jaeger_as_it_is_here(
    ended: list[dict[str, Any]], home: Home, jaeger: JaegerServer
) -> None:
    for here in ended:
        there = arrived(home, here["task"]["task_id"], len(here["spans"]))
        assert there["spans"] == in_jaeger(here["spans"])
        assert shape(there["spans"]) == shape(here["spans"])
        assert all({"task_id", "session_id"} <= set(span["attributes"]) for span in there["spans"])
        for attempt in here["attempts"]:
            assert is_whole(shown(jaeger, attempt["trace_id"]))
    own = the_chain_s_own(ended)
    assert len(own["attempts"]) == 1
    assert len({span["run_id"] for span in own["spans"]}) == 5, "each command of the chain is a process"


def test_where_the_host_names_the_session_late_the_root_and_every_span_after_were_sent_with_it(
    ended: list[dict[str, Any]], jaeger: JaegerServer
) -> None:
    task = the_chain_s_own(ended)["task"]
    spans = sorted(shown(jaeger, task["trace_id"]), key=lambda span: int(span["startTime"]))
    tags = [(span["startTime"], {tag["key"]: tag["value"] for tag in span["tags"]}) for span in spans]
    (root,) = (sent for _, sent in tags if sent[semconv.AGENTOS_KIND] == "task")
    named = next(at for at, sent in tags if sent is not root and semconv.AGENTOS_HOST_TASK_ID in sent)
    before = [sent[semconv.SESSION_ID] for at, sent in tags if at < named and sent is not root]
    after = [sent[semconv.SESSION_ID] for at, sent in tags if at >= named]
    assert {root[semconv.SESSION_ID], *after} == {task["session_id"]}
    assert task["session_id"] not in before
    assert before, "the host gave it late"


def test_a_task_is_found_from_another_machine_by_its_ids_its_session_and_its_commits(
    ended: list[dict[str, Any]], chain: Chain, elsewhere: Home
) -> None:
    own = the_chain_s_own(ended)
    task = own["task"]
    head = chain.run(["git", "-C", str(chain.folder / "repo"), "rev-parse", "HEAD"]).strip()
    in_worktree = json.loads((chain.folder / "result.json").read_text())["operations_executed"][1]["result"]
    assert len({head, in_worktree["commit_hash"]}) == 2
    for identifier in (task["task_id"], task["session_id"], task["trace_id"], task["intent_id"], head,
                       in_worktree["commit_hash"]):  # fmt: skip
        there = elsewhere.show(identifier)
        assert there["spans"] == in_jaeger(own["spans"])
    commits = [commit["sha"] for commit in there["commits"]]
    assert sorted(commits) == sorted(commit["sha"] for commit in own["commits"])
    assert there["task"]["commit_hash"] == head
