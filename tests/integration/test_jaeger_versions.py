"""What Jaeger's versions are asked and answer: 2.20 by answers that it gave; the real one of other tests is 2.13."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentos_otel.query.jaeger import Jaeger
from agentos_otel.query.jaeger_api import JaegerApi
from tests.integration.answering import answering, replying

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "recorded" / "jaeger-2.20.json").read_text())
TASK = next(
    pair["value"]["stringValue"]
    for pair in RECORDED["traces"]["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]
    if pair["key"] == "task_id"
)


def jaeger_2_20(path: str, query: dict[str, str]) -> tuple[int, str, dict[str, str]]:
    """Answer as Jaeger 2.20 does to its own names of parameters; it has no search by `/api/traces` from 2.21 on."""
    if path == "/api/v3/services":
        return 200, json.dumps(RECORDED["services"]), {}
    if path == "/api/v3/traces":
        if not {"query.serviceName", "query.startTimeMin", "query.startTimeMax"} <= set(query):
            return 400, json.dumps({"error": {"httpCode": 400, "message": "a parameter is missing"}}), {}
        if json.loads(query["query.attributes"]) == {"task_id": TASK}:
            return 200, json.dumps(RECORDED["traces"]), {}
        return 404, json.dumps(RECORDED["nothing"]), {}
    return 200, "<!doctype html><title>Jaeger UI</title>", {"Content-Type": "text/html"}


def test_a_search_of_jaeger_2_20_finds_a_task_and_finds_nothing() -> None:
    with replying(jaeger_2_20) as url:
        jaeger = Jaeger(JaegerApi(url))
        (trace_id,) = jaeger.search("task_id", TASK)
        assert len(trace_id) == 32
        assert jaeger.search("task_id", "nobody") == []
        jaeger.api.close()


def test_a_version_that_ignores_the_filter_is_asked_by_the_older_search() -> None:
    """Jaeger 2.13 answers a search by attributes with every trace of the service."""
    asked: list[str] = []

    def reply(path: str, query: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        asked.append(path)
        if path == "/api/traces":
            tags = json.loads(query["tags"])
            spans = [{"tags": [{"key": key, "type": "string", "value": value} for key, value in tags.items()]}]
            other = {"traceID": "f" * 32, "spans": [{"tags": []}]}
            return 200, json.dumps({"data": [{"traceID": "a" * 31, "spans": spans}, other]}), {}
        return jaeger_2_20(path, {**query, "query.attributes": json.dumps({"task_id": TASK})})

    with replying(reply) as url:
        jaeger = Jaeger(JaegerApi(url))
        assert jaeger.search("task_id", "another") == ["0" + "a" * 31]
        jaeger.api.close()
    assert asked == ["/api/v3/services", "/api/v3/traces", "/api/traces"]


def test_answers_with_empty_lists_and_nulls_are_no_traces() -> None:
    results: list[Any] = [{}, {"resourceSpans": []}, {"resourceSpans": None}, None]
    for result in results:
        body = json.dumps({"result": result})
        with answering(200, body) as url:
            jaeger = Jaeger(JaegerApi(url))
            assert jaeger.trace("a" * 32) == []
            assert jaeger.services() == []
            assert jaeger.search("task_id", "x") == []
            jaeger.api.close()
