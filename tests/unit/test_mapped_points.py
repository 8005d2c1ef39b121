"""What a map can say of a point beyond a decorator: events, the host's ids and table, hand-over, failures in values."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentos_otel import agent, stage, task, tool
from agentos_otel.context.current import current_attempt
from agentos_otel.model import Failure, IdPath, Point
from agentos_otel.tracing import host_tasks
from agentos_otel.tracing.wrappers import wrap
from tests.unit.conftest import Recorder

HOST_ID = "01HOSTTASK0000000000000001"


class Table:
    """A host's table in memory."""

    def __init__(self) -> None:
        self.sessions: dict[str, str] = {}
        self.statuses: dict[str, str] = {}
        self.traces: dict[str, str] = {}

    def session_of(self, host_id: str) -> str | None:
        return self.sessions.get(host_id)

    def status_of(self, host_id: str) -> str | None:
        return self.statuses.get(host_id)

    def note(self, host_id: str, task_id: str, trace_id: str) -> None:
        self.traces[host_id] = trace_id

    def flush(self) -> None:
        """There is nothing to try again."""


@pytest.fixture
def table() -> Iterator[Table]:
    host_tasks.table = made = Table()
    yield made
    host_tasks.table = None


def step(state: str, result: object = True) -> object:
    if isinstance(result, Exception):
        raise result
    return result


def test_an_event_is_noted_on_the_span_around_it_and_makes_none(recorder: Recorder) -> None:
    point = Point("event", "moved", values={"to": "state", "answer": "result"}, failed=(Failure("result", (False,)),))
    moved = wrap(step, point)

    @stage("work")
    def work() -> None:
        moved("DONE")
        moved("STUCK", False)
        with pytest.raises(KeyError):
            moved("GONE", KeyError("x"))

    assert moved("outside any task") is True
    work()
    (span,) = [span for span in recorder.spans() if span["kind"] == "stage"]
    seen = [(event["attributes"].get("to"), event["attributes"].get("error.type")) for event in span["events"]]
    assert [event["name"] for event in span["events"]] == ["moved"] * 3
    assert seen == [("DONE", None), ("STUCK", "returned_failure"), ("GONE", "KeyError")]
    assert span["status"] == "ok"


def test_an_event_may_say_that_the_span_around_it_failed(recorder: Recorder) -> None:
    complain = wrap(step, Point("event", "complaint", fails=True))

    @stage("work")
    def work() -> tuple[int, int]:
        complain("it failed")
        return 0, 0

    assert work() == (0, 0)
    (span,) = [span for span in recorder.spans() if span["kind"] == "stage"]
    assert (span["status"], span["error_type"]) == ("error", "reported_failure")


def test_a_model_call_is_named_by_its_model(recorder: Recorder) -> None:
    class Client:
        model = "gpt-x"

        def ask(self, prompt: str) -> list[str]:
            return []

    point = Point("llm", "model", "self.model", failed=(Failure("result", ((),)),))
    asked = wrap(Client.ask, point)
    assert asked(Client(), "hello") == []
    (span,) = recorder.spans()
    assert (span["name"], span["kind"], span["status"]) == ("chat gpt-x", "llm", "error")
    assert span["attributes"]["gen_ai.request.model"] == "gpt-x"
    assert span["attributes"]["gen_ai.operation.name"] == "chat"


@pytest.mark.parametrize(
    ("wanted", "result", "failed"),
    [
        ("⚠️*", "⚠️ Error: no", True), ("⚠️*", "fine", False), ("⚠️*", 3, False), ((), [], True), ((), "", True),
        ((), [1], False), ((), None, False), (None, None, True), (0, False, False), (False, 0, False), (0, 0, True),
    ],
)  # fmt: skip
def test_which_returned_values_mean_failure(recorder: Recorder, wanted: object, result: object, failed: bool) -> None:
    call = wrap(step, Point("tool", "call", failed=(Failure("result", (wanted,)),)))
    assert call("x", result) is result
    (span,) = recorder.spans()
    assert (span["status"] == "error") is failed


def test_what_is_only_inside_a_task_is_nothing_outside(recorder: Recorder) -> None:
    helper = wrap(step, Point("tool", "helper", inside=True))
    assert helper("x") is True
    with task("whole"):
        helper("x")
    assert sorted(span["name"] for span in recorder.spans()) == ["execute_tool helper", "task whole"]


def test_the_host_s_own_id_is_the_key_of_a_task_that_is_born_by_it(recorder: Recorder, table: Table) -> None:
    table.sessions[HOST_ID] = "session-of-the-host"

    def run(task_id: str) -> None:
        return None

    runner = wrap(run, Point("stage", "runner", task="task_id"))
    runner(HOST_ID)
    runner(HOST_ID)
    (found,) = recorder.documents()
    assert (found["task"]["task_id"], found["task"]["session_id"]) == (HOST_ID, "session-of-the-host")
    assert len([span for span in found["spans"] if span["name"] == "stage runner"]) == 2
    assert table.traces == {HOST_ID: found["task"]["trace_id"]}


def test_the_host_s_id_that_comes_later_leads_to_the_task_and_brings_its_session(
    recorder: Recorder, table: Table
) -> None:
    table.sessions[HOST_ID] = "session-of-the-host"

    @stage("intent", produces={"intent_id": "result"})
    def intent() -> str:
        return "intent_12345678"

    def execute(intent_id: str, task_id: str) -> None:
        return None

    def run(task_id: str) -> None:
        return None

    intent()
    joins = (IdPath("intent_id", "intent_id", "joins"),)
    wrap(execute, Point("stage", "execution", ids=joins, task="task_id"))("intent_12345678", HOST_ID)
    wrap(run, Point("stage", "runner", task="task_id"))(HOST_ID)
    (found,) = recorder.documents()
    assert found["task"]["task_id"] != HOST_ID
    assert found["task"]["session_id"] == "session-of-the-host"
    for key in ("session_id", "gen_ai.conversation.id"):  # on what was written before, too
        assert {span["attributes"][key] for span in found["spans"]} == {"session-of-the-host"}
    assert {span["name"] for span in found["spans"]} >= {"stage intent", "stage execution", "stage runner"}
    assert {ref["value"]: ref["role"] for ref in found["refs"]}[HOST_ID] == "produced"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", None])
def test_a_runner_ends_the_task_as_the_host_s_row_says(recorder: Recorder, table: Table, status: str | None) -> None:
    def run(task_id: str) -> None:
        if status is not None:
            table.statuses[task_id] = status

    wrap(run, Point("stage", "runner", task="task_id", ends=True))(HOST_ID)
    (found,) = recorder.documents()
    assert found["task"]["status"] == (status or "waiting")


def test_a_complete_call_that_reopens_an_ended_task_ends_its_own_attempt(recorder: Recorder) -> None:
    def call(task_id: str) -> None:
        return None

    asked = wrap(call, Point("agent", "claude", task="task_id"))
    asked(HOST_ID)
    asked(HOST_ID)
    (found,) = recorder.documents()
    assert found["task"]["status"] == "completed"
    assert [attempt["status"] for attempt in found["attempts"]] == ["completed", "completed"]


def test_a_function_that_is_handed_over_belongs_to_the_span_that_hands_it_over(recorder: Recorder) -> None:
    @tool
    def inner(number: int) -> int:
        return number

    def submit(fn: Any, timeout: float = 1.0) -> list[int]:
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(fn, range(8)))

    def bare() -> None:
        thread = threading.Thread(target=lambda: seen.append(current_attempt()))
        thread.start()
        thread.join()

    seen: list[object] = []
    handed = wrap(submit, Point("stage", "schedule", carry="fn"))
    assert handed(inner) == list(range(8))
    (found,) = recorder.documents()
    (parent,) = [span["span_id"] for span in found["spans"] if span["name"] == "stage schedule"]
    tools = [span for span in found["spans"] if span["kind"] == "tool"]
    assert [span["parent_span_id"] for span in tools] == [parent] * 8
    bare()
    assert seen == [None], "nothing stays behind"


def test_metadata_gets_the_trace_in_the_host_s_own_dict(recorder: Recorder) -> None:
    def create(title: str, metadata: dict[str, object] | None = None) -> dict[str, object] | None:
        return metadata

    created = wrap(create, Point("event", "created", stamps="metadata"))
    given: dict[str, object] = {"note": 1}
    assert created("outside", given) == {"note": 1}
    with task("whole") as current:
        assert created("inside", given) is given
        assert created("inside") == {"trace_id": current.trace_id}
        assert created("inside", metadata={"trace_id": "another"}) == {"trace_id": current.trace_id}
        with pytest.raises(TypeError):
            created()
    assert given == {"note": 1, "trace_id": current.trace_id}


def test_files_are_found_by_templates_and_what_is_not_there_is_not_made_up(recorder: Recorder, tmp_path: Path) -> None:
    class Engine:
        output_dir = tmp_path

        def execute(self, request: dict[str, str]) -> None:
            for name in ("a.patch", "b.patch", "result.json"):
                (tmp_path / request["id"]).mkdir(exist_ok=True)
                (tmp_path / request["id"] / name).write_text(name)

    paths = ("{self.output_dir}/{request.id}/*.patch", "{self.output_dir}/{request.id}/result.json", "{request.no}/x")
    wrap(Engine.execute, Point("stage", "execution", artifacts=paths))(Engine(), {"id": "[run]"})
    (found,) = recorder.documents()
    assert [Path(item["path"]).name for item in found["artifacts"]] == ["a.patch", "b.patch", "result.json"]


def test_a_path_that_finds_nothing_or_raises_is_passed_over_and_counted(recorder: Recorder) -> None:
    class Result:
        good_id = "good_id_1234"

        @property
        def bad_id(self) -> str:
            raise RuntimeError("not now")

    ids = (IdPath("bad", "result.bad_id", "produces"), IdPath("good", "result.good_id", "produces"),
           IdPath("item", "result.items.*.id", "produces"), IdPath("no", "request.id", "consumes"))  # fmt: skip
    wrap(step, Point("stage", "work", ids=ids))("x", Result())
    (found,) = recorder.documents()
    assert [ref["value"] for ref in found["refs"]] == ["good_id_1234"]
    (span,) = [span for span in found["spans"] if span["kind"] == "stage"]
    assert span["attributes"]["agentos.paths_raised"] == 1
    assert span["attributes"]["agentos.paths_missed"] == 2, "a parameter and a key that the host does not have"


def test_a_none_on_the_way_of_a_path_is_an_answer_and_not_counted(recorder: Recorder) -> None:
    ids = (IdPath("good", "result.id", "produces"), IdPath("deep", "result.pack.id", "produces"))
    wrap(step, Point("stage", "work", ids=ids))("x", {"id": "good_id_1234", "pack": None})
    (span,) = [span for span in recorder.spans() if span["kind"] == "stage"]
    assert not [key for key in span["attributes"] if "paths" in key]


def test_an_id_in_each_item_of_a_list_is_found(recorder: Recorder) -> None:
    ids = (IdPath("agent_id", "result.*.agent.id", "produces"),)
    result = [{"agent": {"id": "agent_number_1"}}, {"agent": None}, {"agent": {"id": "agent_number_2"}}]
    wrap(step, Point("stage", "work", ids=ids))("x", result)
    (found,) = recorder.documents()
    assert sorted(ref["value"] for ref in found["refs"]) == ["agent_number_1", "agent_number_2"]


def test_agents_by_decorator_are_as_before(recorder: Recorder) -> None:
    with agent("planner"):
        pass
    assert [span["name"] for span in recorder.spans()] == ["invoke_agent planner"]


def test_the_files_of_a_command_belong_to_the_task_that_it_has_worked_for(recorder: Recorder, tmp_path: Path) -> None:
    def build(request: dict[str, str]) -> dict[str, str]:
        return {"id": f"of {request['id']}"}

    def write(path: Path, text: str) -> None:
        path.write_text(text)

    stage_of = wrap(build, Point("stage", "build", begins=True))
    written = wrap(write, Point("event", artifacts=("path",)))

    def run(source: Path, out: Path) -> None:
        written(out / "tape.json", "[]")
        built = stage_of({"id": source.stem})
        (out / f"{built['id']}.json").write_text("{}")
        raise SystemExit(3)

    command = wrap(run, Point("event", artifacts=("source", "{out}/{work.result.id}.json", "{out}/{work.gone}.json")))
    source = tmp_path / "request.json"
    source.write_text("{}")
    with pytest.raises(SystemExit):
        command(source, tmp_path)
    (document,) = recorder.documents()
    found = {Path(item["path"]).name: item for item in document["artifacts"]}
    assert found.keys() == {"tape.json", "request.json", "of request.json"}
    assert {(item["stage"], item["state"]) for item in found.values()} == {("build", "present")}
    assert current_attempt() is None


def test_a_command_that_works_for_no_task_leaves_nothing(recorder: Recorder, tmp_path: Path) -> None:
    command = wrap(lambda path: path.name, Point("event", artifacts=("path",)))
    assert command(tmp_path / "alone.json") == "alone.json"
    assert not recorder.settings.state_dir.exists(), "nothing is traced"


def test_what_a_scheduler_calls_for_a_task_is_work_of_that_task(recorder: Recorder, table: Table) -> None:
    def schedule(tasks: list[dict[str, str]], execute: Any) -> list[bool]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(execute, tasks))

    @tool
    def inner() -> None:
        """Something that is seen."""

    def execute(given: dict[str, str]) -> bool:
        inner()
        return given["task_id"] != ids[1]

    ids = [HOST_ID, HOST_ID[:-1] + "2"]
    wrap(schedule, Point("stage", "schedule", carry="execute", carry_task="task_id"))(
        [{"task_id": item} for item in ids], execute
    )
    found = {item["task"]["task_id"]: item for item in recorder.documents()}
    assert found.keys() > set(ids)
    for task_id, status in zip(ids, ("ok", "error"), strict=True):
        spans = {span["name"]: span for span in found[task_id]["spans"]}
        assert spans["stage scheduled_task"]["status"] == status
        assert spans["execute_tool inner"]["parent_span_id"] == spans["stage scheduled_task"]["span_id"]
        assert table.traces[task_id] == found[task_id]["task"]["trace_id"]
    (scheduler,) = (item for key, item in found.items() if key not in ids)
    assert [span["name"] for span in scheduler["spans"] if span["kind"] == "tool"] == []


def test_a_scheduled_function_without_a_signature_or_a_parameter_is_called_as_it_is(recorder: Recorder) -> None:
    handed = wrap(lambda fn, *given: fn(*given), Point("stage", "schedule", carry="fn", carry_task="task_id"))
    assert (handed(dict.fromkeys, "ab"), handed(lambda: 3), handed(lambda *a: a, 1)) == (
        {"a": None, "b": None},
        3,
        (1,),
    )
