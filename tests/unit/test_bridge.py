"""A provider of the host's: its spans get our ids and our journal, our spans go through its processors."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import attach, detach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased

from agentos_otel import agent, stage, task, tool
from agentos_otel.journal import reader
from agentos_otel.journal.record import ENDED_SPAN, LOCAL_SPAN
from agentos_otel.store import decode
from tests.unit.conftest import Recorder


class Away(SpanExporter):
    """An exporter as a host has it: neither console nor memory."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Any) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


def provider_of(recorder: Recorder, *processors: SpanProcessor, **options: Any) -> TracerProvider:
    provider = TracerProvider(resource=Resource({"service.name": "host", "deployment": "x"}), **options)
    for processor in processors:
        provider.add_span_processor(processor)
    recorder.runtime.join_provider(provider)
    return provider


def fields(recorder: Recorder) -> dict[str, int]:
    """Return the journal field of each ended span by its name."""
    records = reader.read_file(recorder.runtime.journal.path).records
    ended = [record for record in records if record.field in (ENDED_SPAN, LOCAL_SPAN)]
    return {span["name"]: record.field for record in ended for span in decode.spans(record.body)}


def test_a_foreign_span_between_two_of_ours_is_child_and_parent_and_has_the_ids(recorder: Recorder) -> None:
    tracer = provider_of(recorder).get_tracer("httpx", "0.28")

    @tool
    def inner() -> None: ...

    with task("t"), tracer.start_as_current_span("GET", attributes={"url": "u"}) as foreign:
        foreign.add_event("sent", {"bytes": 3})
        inner()
    (document,) = recorder.documents()
    spans = {span["name"]: span for span in document["spans"]}
    root, get, ours = spans["task t"], spans["GET"], spans["execute_tool inner"]
    assert (get["parent_span_id"], ours["parent_span_id"]) == (root["span_id"], get["span_id"])
    assert get["kind"] == "other"
    assert get["attributes"] == {
        "url": "u", "task_id": document["task"]["task_id"], "session_id": document["task"]["session_id"],
    }  # fmt: skip
    assert get["events"][0]["attributes"] == {"bytes": 3}


def test_a_foreign_span_that_is_open_shows_as_running_once_a_span_of_ours_hangs_under_it(recorder: Recorder) -> None:
    tracer = provider_of(recorder).get_tracer("x")
    with task("t"), tracer.start_as_current_span("GET"), tool("inner"):
        states = {span["name"]: span["status"] for span in recorder.spans()}
    assert states == {"task t": "running", "GET": "running"}


def test_a_foreign_span_outside_any_task_is_left_alone(recorder: Recorder) -> None:
    away = Away()
    provider = provider_of(recorder, SimpleSpanProcessor(away))
    with provider.get_tracer("x").start_as_current_span("alone"):
        pass
    assert [span.attributes for span in away.spans] == [{}]
    assert not recorder.settings.state_dir.exists(), "nothing is written outside a task"


def test_a_foreign_span_that_is_current_at_a_birth_is_linked(recorder: Recorder) -> None:
    tracer = provider_of(recorder).get_tracer("x")
    with tracer.start_as_current_span("request") as request, task("t"):
        pass
    (root,) = recorder.spans()
    ids = request.get_span_context()
    assert root["links"] == [{"trace_id": f"{ids.trace_id:032x}", "span_id": f"{ids.span_id:016x}"}]


def test_our_spans_go_through_the_hosts_processors_as_the_sdks_own_would(recorder: Recorder) -> None:
    away = Away()
    seen: list[tuple[str, Any, Any]] = []

    class Reads(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            parent = trace.get_current_span(parent_context).get_span_context()
            seen.append((span.name, span.parent and span.parent.span_id, parent.is_valid and parent.span_id))
            span.set_attribute("from.processor", span.resource.attributes["service.name"])
            assert dict(span.attributes)["task_id"]
            assert (span.kind, span.start_time > 0, span.end_time) == (trace.SpanKind.INTERNAL, True, None)
            assert (span.events, span.dropped_events, span.dropped_links) == ((), 0, 0)
            assert span.instrumentation_scope.name == "agentos_otel"

    provider_of(recorder, Reads(), SimpleSpanProcessor(away))

    @agent("planner")
    def plan() -> None:
        raise ValueError("no plan")

    with pytest.raises(ValueError, match="no plan"), task("t"), stage("intent"):
        plan()
    sent = {span.name: span for span in away.spans}
    assert list(sent) == ["invoke_agent planner", "stage intent", "task t"]
    failed = sent["invoke_agent planner"]
    assert failed.attributes is not None
    assert failed.attributes["from.processor"] == "host"
    assert failed.attributes["error.type"] == "ValueError"
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert failed.events[0].name == "exception"
    assert failed.resource.attributes["service.name"] == "host"
    assert failed.instrumentation_scope is not None
    assert failed.parent == sent["stage intent"].context
    assert sent["task t"].parent is None
    assert json.loads(failed.to_json())["name"] == "invoke_agent planner"
    intent, root = sent["stage intent"].context, sent["task t"].context
    assert intent is not None
    assert root is not None
    assert seen == [
        ("task t", None, False),
        ("stage intent", root.span_id, root.span_id),
        ("invoke_agent planner", intent.span_id, intent.span_id),
    ]
    assert {span["attributes"].get("from.processor") for span in recorder.spans()} == {"host"}


def test_a_processor_that_stamps_baggage_stamps_ours(recorder: Recorder) -> None:
    class Baggage(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            span.set_attributes(baggage.get_all(parent_context))

    provider_of(recorder, Baggage())
    token = attach(baggage.set_baggage("tenant", "acme"))
    with task("t"):
        pass
    detach(token)
    (root,) = recorder.spans()
    assert root["attributes"]["tenant"] == "acme"
    assert fields(recorder) == {"task t": ENDED_SPAN}, "nothing was sent by the host: the forwarder is to"


@pytest.mark.parametrize(
    ("exporter", "road"), [(Away, LOCAL_SPAN), (ConsoleSpanExporter, ENDED_SPAN), (InMemorySpanExporter, ENDED_SPAN)]
)
def test_there_is_one_road_per_destination(
    recorder: Recorder, exporter: Any, road: int, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = provider_of(recorder, SimpleSpanProcessor(exporter()))
    with task("t"), provider.get_tracer("x").start_as_current_span("GET"):
        pass
    assert fields(recorder) == {"GET": road, "task t": road}


def test_a_processor_that_is_added_later_takes_the_road_from_then_on(recorder: Recorder) -> None:
    provider = provider_of(recorder)
    with task("t"):
        with tool("before"):
            pass
        provider.add_span_processor(SimpleSpanProcessor(Away()))
    assert fields(recorder) == {"execute_tool before": ENDED_SPAN, "task t": LOCAL_SPAN}


def test_the_hosts_sampler_decides_once_for_the_whole_task(recorder: Recorder) -> None:
    away = Away()
    provider = provider_of(recorder, SimpleSpanProcessor(away), sampler=TraceIdRatioBased(0.3))
    for _ in range(200):
        with task("t"), tool("x"), provider.get_tracer("x").start_as_current_span("GET"):
            pass
    names = [span.name for span in away.spans]
    assert 20 < names.count("task t") < 110
    assert names.count("task t") == names.count("execute_tool x") == names.count("GET")
    sampled = [document for document in recorder.documents() if document["spans"]]
    assert len(sampled) == names.count("task t")
    assert len(recorder.documents()) == 200


def test_a_task_that_is_sampled_out_keeps_its_row_and_has_no_spans(recorder: Recorder) -> None:
    away = Away()
    provider = provider_of(recorder, SimpleSpanProcessor(away), sampler=ALWAYS_OFF)
    with task("t", produces={"intent_id": "intent_12345678"}), provider.get_tracer("x").start_as_current_span("GET"):
        pass
    (document,) = recorder.documents()
    assert (document["spans"], away.spans) == ([], [])
    assert document["refs"][0]["value"] == "intent_12345678"
    assert document["task"]["status"] == "completed"


def test_the_hosts_resource_is_ours_too(recorder: Recorder) -> None:
    provider_of(recorder)
    with task("t"):
        pass
    records = reader.read_file(recorder.runtime.journal.path).records
    said = [decode.statement(record.body) for record in records if record.field == 12]
    run = [statement for statement in said if statement["op"] == "run"][-1]
    assert (run["resource"]["service.name"], run["resource"]["deployment"]) == ("host", "x")
    assert run["resource"]["service.instance.id"] == recorder.runtime.run_id


def test_a_processor_that_raises_is_noted_and_the_host_goes_on(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    class Raises(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            raise RuntimeError("on_start")

        def on_end(self, span: ReadableSpan) -> None:
            raise RuntimeError("on_end")

    provider_of(recorder, Raises())
    from agentos_otel import guard

    guard.raise_failures = False
    with caplog.at_level(logging.WARNING), task("t"):
        pass
    assert [span["status"] for span in recorder.spans()] == ["ok"]
    assert "host's processors" in caplog.text
