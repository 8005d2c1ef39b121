"""Any history of processes that begin, end, exit and are killed, looked at in between, comes out whole."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from agentos_otel import guard, stage, task, tool
from agentos_otel.errors import TransitionError
from agentos_otel.query.closing import close
from agentos_otel.tasks.database import open_database
from agentos_otel.tasks.store import TaskStore
from agentos_otel.tracing import runtime as runtimes
from agentos_otel.tracing.decorators import Mark
from tests.unit.processes import Host, Process

IDS = ["request_one_00000001", "request_two_00000002"]


@tool
def read() -> None: ...


class Histories(RuleBasedStateMachine):
    """Processes of one host, each with the points that are open in it."""

    @initialize()
    def begin(self) -> None:
        guard.raise_failures = True
        self.folder = Path(tempfile.mkdtemp())
        self.host = Host(self.folder / "state")
        self.living: list[tuple[Process, list[Mark]]] = []
        self.without_store: list[Process] = []

    def teardown(self) -> None:
        for process, _ in self.living:
            process.kill()
        try:
            if self.host.settings.state_dir.exists():
                self.check()
        finally:
            runtimes.install(None)
            guard.raise_failures = False
            shutil.rmtree(self.folder)

    def check(self) -> None:
        """Check that nothing is open, doubled or lost, now that all processes are dead."""
        found = self.host.look()
        ended = Counter(self.host.ended())
        assert set(ended.values()) <= {1}
        for each in found:
            roots = {attempt["root_span_id"]: attempt for attempt in each["attempts"]}
            assert each["task"]["status"] in {"waiting", "completed", "failed"}
            assert {run["state"] for run in each["runs"]} <= {"ended"}
            for attempt in each["attempts"][:-1]:
                assert attempt["ended_ns"] is not None
            for span in each["spans"]:
                attempt = roots.get(span["span_id"])
                is_open = attempt is not None and attempt["ended_ns"] is None
                assert (span["status"] == "running") == is_open, span
                assert ended[span["span_id"]] == (0 if is_open else 1)
            for root_id, attempt in roots.items():
                (root,) = (span for span in each["spans"] if span["span_id"] == root_id)
                if attempt["ended_ns"] is not None:
                    assert root["end_ns"] == attempt["ended_ns"]
                    assert (root["status"] == "ok") == (attempt["status"] == "completed")
        assert self.host.look() == found
        for path in self.host.settings.state_dir.glob("*.db*"):
            path.unlink()
        again = {each["task"]["task_id"]: each for each in self.host.look()}
        assert {task_id: each["task"]["status"] for task_id, each in again.items()} == {
            each["task"]["task_id"]: each["task"]["status"] for each in found
        }
        assert Counter(self.host.ended()) == ended

    def start(self, carrier: dict[str, str] | None, mark: Mark, *, store: bool) -> None:
        process = self.host.process(carrier)
        if not store:
            self.folder.joinpath("none").mkdir(exist_ok=True)
            process.runtime.store = TaskStore(open_database(f"sqlite://{self.folder}/none", 0.25))
            self.without_store.append(process)
        process.do(mark.__enter__)
        self.living.append((process, [mark]))

    @rule(store=st.booleans())
    def start_an_owner(self, store: bool) -> None:
        self.start(None, task("work"), store=store)

    @rule(request=st.sampled_from(IDS), store=st.booleans(), ends=st.booleans())
    def start_a_stage_of_a_chain(self, request: str, store: bool, ends: bool) -> None:
        ids = {"request_id": request}
        self.start(None, stage("chain", joins=ids, produces=ids, ends=ends), store=store)

    @precondition(lambda self: self.living)
    @rule(data=st.data(), store=st.booleans())
    def start_a_child(self, data: st.DataObject, store: bool) -> None:
        process, _ = data.draw(st.sampled_from(self.living))
        self.start(process.carrier(), stage("child"), store=store)

    @precondition(lambda self: self.living)
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        process, open_points = data.draw(st.sampled_from(self.living))
        process.do(read)
        mark = stage("inner")
        process.do(mark.__enter__)
        open_points.append(mark)

    @precondition(lambda self: any(points for _, points in self.living))
    @rule(data=st.data(), fails=st.booleans())
    def leave_a_point(self, data: st.DataObject, fails: bool) -> None:
        process, open_points = data.draw(st.sampled_from([entry for entry in self.living if entry[1]]))
        error = ValueError("failed") if fails else None
        process.do(open_points.pop().__exit__, type(error) if error else None, error, None)

    @precondition(lambda self: self.living)
    @rule(data=st.data(), exits=st.booleans())
    def end_a_process(self, data: st.DataObject, exits: bool) -> None:
        entry = data.draw(st.sampled_from(self.living))
        self.living.remove(entry)
        if exits:
            entry[0].exit()
        else:
            entry[0].kill()

    @precondition(lambda self: self.living)
    @rule()
    def look(self) -> None:
        self.host.look()

    # A run that no store can refuse ends its task by itself, whoever has closed it meanwhile: not a history to want.
    @precondition(lambda self: all(process not in self.without_store for process, _ in self.living))
    @rule(data=st.data())
    def close_a_task_by_hand(self, data: st.DataObject) -> None:
        found = self.host.look() if self.host.settings.state_dir.exists() else []
        if found:
            space = self.host.workspace()
            try:
                close(space, data.draw(st.sampled_from(found))["task"]["task_id"], "completed")
            except TransitionError:
                pass
            finally:
                space.close()


Histories.TestCase.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
TestHistories = Histories.TestCase
