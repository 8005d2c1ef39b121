"""A decorated callable does what the bare one does, and its spans are what they should be."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry import trace

from agentos_otel import agent, current_task, extract, inject, session, stage, task, tool
from agentos_otel.journal import encoding
from tests.unit.conftest import Recorder


@tool
def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


def names(recorder: Recorder) -> list[tuple[str, str | None, str]]:
    by_id = {span["span_id"]: span["name"] for span in recorder.spans()}
    return [(s["name"], by_id.get(s["parent_span_id"]), s["status"]) for s in recorder.spans()]


def test_stages_agents_and_tools_nest_under_the_root_of_their_task(recorder: Recorder) -> None:
    @agent("coder")
    def code(number: int) -> int:
        return double(number)

    @stage("execution")
    def execute() -> int:
        return code(3)

    @task("work")
    def work() -> int:
        return execute()

    assert work() == 6
    assert names(recorder) == [
        ("task work", None, "ok"),
        ("stage execution", "task work", "ok"),
        ("invoke_agent coder", "stage execution", "ok"),
        ("execute_tool double", "invoke_agent coder", "ok"),
    ]
    (document,) = recorder.documents()
    assert document["task"]["status"] == "completed"
    assert document["task"]["agent_ids"] == ["coder"]
    assert {s["attributes"]["session_id"] for s in document["spans"]} == {document["task"]["session_id"]}


def test_an_exception_passes_as_the_same_object_and_is_recorded_once(recorder: Recorder) -> None:
    error = ValueError("no")

    @stage
    def inner() -> None:
        raise error

    @task
    def outer() -> None:
        inner()

    with pytest.raises(ValueError, match="no") as caught:
        outer()
    assert caught.value is error
    spans = recorder.spans()
    assert [span["status"] for span in spans] == ["error", "error"]
    assert [len(span["events"]) for span in spans] == [0, 1]
    assert recorder.documents()[0]["task"]["error_type"] == "ValueError"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_base_exceptions_pass_unchanged(recorder: Recorder, error: BaseException) -> None:
    @tool
    def stop() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        stop()
    assert caught.value is error
    assert [span["status"] for span in recorder.spans()] == ["error"]


def test_a_cancelled_coroutine_is_cancelled_and_no_error(recorder: Recorder) -> None:
    @task("wait")
    async def wait() -> None:
        await asyncio.sleep(10)

    async def main() -> None:
        waiting = asyncio.ensure_future(wait())
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert [span["status"] for span in recorder.spans()] == ["cancelled"]
    assert recorder.documents()[0]["task"]["status"] == "cancelled"


def test_a_generator_keeps_its_kind_its_protocol_and_the_consumers_spans_outside(recorder: Recorder) -> None:
    @tool
    def count(first: int) -> Any:
        got = yield first
        double(1)
        try:
            yield got
        except KeyError:
            yield -1
        return 9

    assert inspect.isgeneratorfunction(count)
    with pytest.raises(TypeError):
        count()  # type: ignore[call-arg]
    with task("work"):
        made: Any = count(1)
        assert next(made) == 1
        double(5)
        assert made.send(7) == 7
        assert made.throw(KeyError()) == -1
        with pytest.raises(StopIteration) as end:
            next(made)
    assert end.value.value == 9
    parents = [parent for name, parent, _ in names(recorder) if name == "execute_tool double"]
    assert sorted(map(str, parents)) == ["execute_tool count", "task work"]


def test_an_async_generator_that_is_left_early_ends_its_span_and_closes(recorder: Recorder) -> None:
    closed = []

    @tool
    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(9):
                yield number
        finally:
            closed.append(True)

    async def main() -> None:
        made = numbers()
        assert await anext(made) == 0
        await made.aclose()  # type: ignore[attr-defined]

    assert inspect.isasyncgenfunction(numbers)
    with task("work"):
        asyncio.run(main())
    assert closed == [True]
    assert [status for name, _, status in names(recorder) if name == "execute_tool numbers"] == ["cancelled"]


class Host:
    @stage("method")
    def method(self, value: int) -> int:
        return value

    @classmethod
    @stage("class method")
    def of_class(cls, value: int) -> tuple[type, int]:
        return cls, value

    @staticmethod
    @stage("static method")
    def static(value: int) -> int:
        return value

    @property
    @stage("property")
    def prop(self) -> int:
        return 4


def test_methods_of_every_kind_work_and_are_spans(recorder: Recorder) -> None:
    host = Host()
    with task("work"):
        assert host.method(1) == 1
        assert Host.of_class(2) == (Host, 2)
        assert host.static(3) == 3
        assert host.prop == 4
    made = [name for name, _, _ in names(recorder)[1:]]
    assert made == ["stage method", "stage class method", "stage static method", "stage property"]


def test_a_decorated_function_pickles_copies_and_shows_its_signature() -> None:
    assert pickle.loads(pickle.dumps(double)) is double
    assert copy.deepcopy(double) is double
    assert str(inspect.signature(double)) == "(number: 'int') -> 'int'"
    assert (double.__name__, double.__doc__) == ("double", "Return twice the number.")


def test_ids_of_arguments_and_results_become_refs_and_a_failure_may_be_a_value(recorder: Recorder) -> None:
    @stage("intent", consumes={"nl_request_id": "request.id"}, produces={"intent_id": "result.intent.id"},
           failed={"result.status": ["failed"]})  # fmt: skip
    def build(request: dict[str, str]) -> dict[str, Any]:
        return {"intent": {"id": "intent_12345678"}, "status": "failed"}

    with task("work"):
        build({"id": "unknown_request"})
        build(request={"id": "nlreq_12345678"})
    (document,) = recorder.documents()
    refs = {(ref["kind"], ref["value"], ref["role"], ref["stage"]) for ref in document["refs"]}
    assert refs == {
        ("nl_request_id", "nlreq_12345678", "consumed", "intent"),
        ("intent_id", "intent_12345678", "produced", "intent"),
    }
    assert [span["error_type"] for span in document["spans"][1:]] == ["returned_failure"] * 2


def test_a_session_groups_the_tasks_that_begin_in_it(recorder: Recorder) -> None:
    with session("chat-0001"):
        double(1)
        double(2)
    assert [found["task"]["session_id"] for found in recorder.documents()] == ["chat-0001"] * 2


def test_the_current_task_tells_its_ids_and_takes_notes(recorder: Recorder) -> None:
    assert current_task() is None
    with task("work") as work:
        inside = current_task()
        assert inside is not None
        assert (inside.task_id, inside.trace_id) == (work.task_id, work.trace_id)
        inside.ref("ticket", "ticket-12345")
    (document,) = recorder.documents()
    assert [(ref["kind"], ref["value"]) for ref in document["refs"]] == [("ticket", "ticket-12345")]


def test_a_carrier_brings_the_task_to_where_the_context_is_lost(recorder: Recorder) -> None:
    with task("work"):
        carrier = dict(inject())
    with extract(carrier):
        double(4)
    spans = recorder.spans()
    assert [span["name"] for span in spans] == ["task work", "execute_tool double"]
    assert spans[1]["parent_span_id"] == spans[0]["span_id"]
    assert carrier["TRACEPARENT"].endswith("-01")


def test_foreign_code_sees_our_span_as_the_current_one(recorder: Recorder) -> None:
    with task("work") as work:
        context = trace.get_current_span().get_span_context()
        trace.get_current_span().set_attribute("host.attribute", 3)
    assert f"{context.trace_id:032x}" == work.trace_id
    assert recorder.spans()[0]["attributes"]["host.attribute"] == 3


def test_content_is_private_unless_switched_on_and_then_cut_and_redacted(recorder: Recorder) -> None:
    @tool(capture=True)
    def ask(prompt: str, key: str) -> str:
        return prompt[::-1]

    with task("work"):
        double(21)
        ask("x" * 20_000_000, key="my key is sk-abcdefghijklmnopqrstuvwx")
    bare, captured = (span["attributes"] for span in recorder.spans()[1:])
    assert not [key for key in bare if key.startswith("agentos.argument")]
    assert len(captured["agentos.argument.prompt"]) == 4096
    assert captured["agentos.argument.key"] == "my key is ****"


def test_a_task_inside_a_task_is_a_span_of_it_unless_it_is_new(recorder: Recorder) -> None:
    @task("inner")
    def inner() -> None: ...

    @task("other", new=True)
    def other() -> None: ...

    with task("outer"):
        inner()
        other()
    documents = recorder.documents()
    assert [[span["name"] for span in found["spans"]] for found in documents] == [
        ["task outer", "task inner"],
        ["task other"],
    ]
    assert documents[1]["spans"][0]["links"][0]["trace_id"] == documents[0]["task"]["trace_id"]


def test_switched_off_a_decorated_call_is_the_bare_call(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentos_otel.tracing import runtime

    monkeypatch.setenv("AGENTOS_OTEL_DISABLED", "1")
    runtime.install(None)
    try:
        assert double(4) == 8
        assert current_task() is None
    finally:
        runtime.install(None)


def test_what_is_kept_encoded_does_not_grow_with_the_tasks(recorder: Recorder) -> None:
    def run() -> None:
        with task("work"), stage("execution"):
            pass

    run()
    kept = len(encoding._attributes)
    for _ in range(20):
        run()
    assert len(encoding._attributes) == kept
