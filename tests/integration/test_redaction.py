"""Secrets in the spans of any program are taken out by the Collector, and texts are cut, before Jaeger has them."""

from __future__ import annotations

import os
import re

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agentos_otel.query.jaeger import Jaeger
from agentos_otel.query.jaeger_api import JaegerApi
from agentos_otel.tracing.redaction import SECRETS, Secret
from tests.integration.backends import CollectorServer, JaegerServer, eventually, post

pytestmark = pytest.mark.jaeger


def arrived(jaeger: JaegerServer, trace_id: bytes) -> str:
    """Return all that Jaeger has of a trace, as text."""
    source = Jaeger(JaegerApi(jaeger.url))
    try:
        assert eventually(lambda: source.trace(trace_id.hex()))
        return "".join(map(str, source.trace(trace_id.hex())))
    finally:
        source.api.close()


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
def test_a_secret_is_nowhere_in_jaeger_and_what_stands_around_it_is(
    secret: Secret, jaeger: JaegerServer, collector: CollectorServer
) -> None:
    text = secret.example
    (hidden,) = (
        found.group().removeprefix(found.groupdict().get("kept", "")) for found in re.finditer(secret.pattern, text)
    )
    data = TracesData()
    resource = data.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "careless"
    resource.resource.attributes.add(key="process.note").value.string_value = f"begin1 {text} end1"
    span = resource.scope_spans.add().spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), name="call", kind=1)
    span.start_time_unix_nano, span.end_time_unix_nano = 1_795_000_000_000_000_000, 1_795_000_000_000_001_000
    span.attributes.add(key="task_id").value.string_value = "task_of_a_careless_program"
    span.attributes.add(key="prompt").value.string_value = f"begin2 {text} end2"
    span.attributes.add(key="http.request.header.authorization").value.string_value = "hunter2"
    event = span.events.add(name="exception", time_unix_nano=1_795_000_000_000_000_500)
    event.attributes.add(key="exception.message").value.string_value = f"begin3 {text} end3"
    span.status.message, span.status.code = f"begin4 {text} end4", 2
    assert post(collector.endpoint, data.SerializeToString()) == 200
    there = arrived(jaeger, span.trace_id)
    assert "hunter2" not in there
    assert all(line not in there for line in hidden.splitlines())
    assert [f"begin{number}" in there and f"end{number}" in there for number in range(1, 5)] == [True] * 4


def test_an_id_that_only_looks_like_a_key_from_its_middle_on_is_left_alone(
    jaeger: JaegerServer, collector: CollectorServer
) -> None:
    """`task-…` ends like `sk-…`: a task whose id was hidden would be found by nobody."""
    task_id = f"task-{os.urandom(16).hex()}"
    data = TracesData()
    span = data.resource_spans.add().scope_spans.add().spans.add(trace_id=os.urandom(16), span_id=os.urandom(8))
    span.start_time_unix_nano, span.end_time_unix_nano = 1_795_000_000_000_000_000, 1_795_000_000_000_001_000
    span.attributes.add(key="task_id").value.string_value = task_id
    span.status.message, span.status.code = f"{task_id} failed", 2
    assert post(collector.endpoint, data.SerializeToString()) == 200
    assert arrived(jaeger, span.trace_id).count(task_id) == 2


def test_numbers_of_tokens_are_no_secrets(jaeger: JaegerServer, collector: CollectorServer) -> None:
    data = TracesData()
    span = data.resource_spans.add().scope_spans.add().spans.add(trace_id=os.urandom(16), span_id=os.urandom(8))
    span.start_time_unix_nano, span.end_time_unix_nano = 1_795_000_000_000_000_000, 1_795_000_000_000_001_000
    span.attributes.add(key="task_id").value.string_value = "task_of_a_model"
    span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 4711
    assert post(collector.endpoint, data.SerializeToString()) == 200
    assert "int_value: 4711" in arrived(jaeger, span.trace_id)


def test_long_texts_are_cut_wherever_they_are(jaeger: JaegerServer, collector: CollectorServer) -> None:
    data = TracesData()
    resource = data.resource_spans.add()
    resource.resource.attributes.add(key="process.note").value.string_value = "a" * 200_000
    span = resource.scope_spans.add().spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), name="b" * 100_000)
    span.start_time_unix_nano, span.end_time_unix_nano = 1_795_000_000_000_000_000, 1_795_000_000_000_001_000
    span.attributes.add(key="task_id").value.string_value = "task_of_long_texts"
    event = span.events.add(name="exception", time_unix_nano=1_795_000_000_000_000_500)
    event.attributes.add(key="exception.stacktrace").value.string_value = "c" * 200_000
    span.status.message, span.status.code = "d" * 200_000, 2
    assert post(collector.endpoint, data.SerializeToString()) == 200
    text = arrived(jaeger, span.trace_id)
    assert [text.count(letter * 1000) > 0 for letter in "abcd"] == [True] * 4
    assert len(text) < 4 * 33_000
