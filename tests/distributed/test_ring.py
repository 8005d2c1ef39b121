"""Jaeger on a real ring of three Cassandra nodes that are killed one after another: `make test-distributed`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from agentos_otel.errors import BackendError
from agentos_otel.query.jaeger import Jaeger
from agentos_otel.query.jaeger_api import JaegerApi
from tests.distributed.ring import Node, lacking
from tests.integration.backends import CollectorServer, JaegerServer, eventually, running
from tests.integration.test_outages import Load, missing

pytestmark = [pytest.mark.jaeger, pytest.mark.distributed, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    if lacking():
        pytest.fail(f"a ring of Cassandra nodes needs {lacking()}")
    nodes = [Node(tmp_path_factory.mktemp("ring"), 1)]
    nodes += [Node(nodes[0].folder.parent, number) for number in (2, 3)]
    try:
        for node in nodes:
            node.start()
        yield nodes
    finally:
        for node in nodes:
            node.kill()


def on_cassandra(folder: Path) -> JaegerServer:
    server = JaegerServer(folder, config="jaeger-cassandra.yaml")
    server.patience = 600  # it makes its tables on three nodes
    return server


class Search:
    """Asks Jaeger for traces by task; until a dead node is known as such, or all are caught up, one may time out."""

    def __init__(self, source: Jaeger) -> None:
        self._source = source
        self.said: list[str] = []
        """What the answers were that were not right."""

    def finds(self, trace_id: str) -> bool:
        try:
            answer = self._source.search("task_id", f"task-{trace_id}")
        except BackendError as error:
            self.said.append(str(error))
            return False
        if answer != [trace_id]:
            self.said.append(f"{trace_id} is not {answer[:3]}")
        return answer == [trace_id]


def test_what_was_acknowledged_is_there_after_each_node_was_killed_under_load(ring: list[Node], tmp_path: Path) -> None:
    jaeger = on_cassandra(tmp_path / "jaeger")
    collector = CollectorServer(tmp_path / "collector", f"{jaeger.address}:14317")
    with running(jaeger, collector):
        # Straight to Jaeger, where a 200 means that two nodes have it; and through the Collector's queue.
        with Load(f"http://{jaeger.address}:14318", 1) as straight, Load(collector.endpoint, 1, 0.02) as queued:
            assert eventually(lambda: len(straight.acknowledged) > 20, 120)
            for node in ring[::-1]:  # the last is the first node, the seed
                time.sleep(5)
                node.kill()
                time.sleep(5)
                node.start()
            time.sleep(5)
        sent = straight.acknowledged + queued.acknowledged
        print(f"{len(straight.acknowledged)} + {len(queued.acknowledged)} traces acknowledged, "
              f"{straight.refused} + {queued.refused} refused")  # fmt: skip
        assert len(straight.acknowledged) > 50
        assert len(queued.acknowledged) > 50
        assert eventually(lambda: not missing(jaeger, sent, 1), 120), missing(jaeger, sent, 1)
        source = Jaeger(JaegerApi(jaeger.url))
        search = Search(source)
        for trace_id in sent[:: max(1, len(sent) // 20)]:
            assert eventually(partial(search.finds, trace_id), 60), search.said
        source.api.close()


def test_a_search_by_task_answers_while_a_node_is_down(ring: list[Node], tmp_path: Path) -> None:
    jaeger = on_cassandra(tmp_path / "jaeger")
    with running(jaeger):
        with Load(f"http://{jaeger.address}:14318", 1) as load:
            assert eventually(lambda: len(load.acknowledged) > 5, 120)
        ring[1].kill()
        try:
            source = Jaeger(JaegerApi(jaeger.url))
            search = Search(source)
            assert eventually(lambda: search.finds(load.acknowledged[0]), 120), search.said
            assert eventually(lambda: not missing(jaeger, load.acknowledged, 1), 120)
            source.api.close()
        finally:
            ring[1].start()
