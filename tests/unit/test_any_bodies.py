"""Records whose sums are right and whose bodies say anything: one such record neither stops a reader nor hides a task.

No disk and no crash makes these. A writer with a fault does, or one of a version that is not ours.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentos_otel import guard, semconv
from agentos_otel.journal import encoding
from agentos_otel.journal.record import ENDED_SPAN, STARTED_SPAN, STATEMENT, frame
from agentos_otel.query.commits import message_of
from agentos_otel.query.document import document
from agentos_otel.query.workspace import Workspace
from agentos_otel.store import decode
from agentos_otel.store.segments import header
from agentos_otel.tasks.database import open_database
from agentos_otel.tasks.store import TaskStore
from tests.unit.journals import said, span, trace, write

TASK = "task0001"
BORN = (
    said(op="task", task_id=TASK, session_id="s", name="n", at=1),
    said(op="attempt", task_id=TASK, attempt=1, trace_id=trace(1), root_span_id=f"{1:016x}", root_name="n", at=1),
)
IDS = encoding.identity(bytes.fromhex(trace(1))) + b"\x02" * 8
AGENT = encoding.attributes({semconv.AGENTOS_KIND: "agent"})


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    guard.raise_failures = True
    made = Workspace(tmp_path, "h", TaskStore(open_database(f"sqlite:///{tmp_path / 'tasks.db'}", 5)))
    yield made
    made.close()
    guard.raise_failures = False


def made_by_agent(*parts: bytes) -> bytes:
    return encoding.SpanEncoder({semconv.SERVICE_INSTANCE_ID: "run"}).record(ENDED_SPAN, [IDS, AGENT, *parts])


RECORDS = {
    "a span cut off behind its ids": made_by_agent(b"\x83"),
    "a span of another wire type": made_by_agent(b"\x0b\x0b"),
    "a time beyond what a database holds": made_by_agent(encoding.times(2**64 - 1, 2**64 - 1)),
    "a name that is no text": made_by_agent(encoding.field(5, b"\xff")),
    "a text for a number": span(trace(1), 2, ENDED_SPAN, **{semconv.AGENTOS_CUT: "many"}),
    "a list for a number": span(trace(1), 2, ENDED_SPAN, **{semconv.AGENTOS_CUT: [1]}),
    "a nested statement": frame(STATEMENT, b'{"op":"task","name":' + b"[" * 100_000),
    "a kind that UTF-8 cannot say": said(op="lost", kind="\ud800", traces={trace(1): 1}),
    "a run no file can be named after": said(op="join", run_id="\0", task_id=TASK, attempt=1, host="h", pid=1, at=1),
    "a host like that": said(op="join", run_id="r", task_id=TASK, attempt=1, host="\0", pid=1, at=1),
    "an artifact like that": said(op="artifact", task_id=TASK, path="\0", stage="", size=1, at=1),
    "a commit that is none": said(op="commit", task_id=TASK, sha="\0", repository="/", at=1),
    "a repository no path can name": said(op="commit", task_id=TASK, sha="a" * 40, repository="\0", at=1),
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("first", [True, False])
def test_a_body_that_says_anything_stops_no_reader(space: Workspace, record: bytes, first: bool) -> None:
    good = (*BORN, span(trace(1), 3))
    write(space.journal_dir, "run", *((record, *good) if first else (*good, record)))
    space.index.catch_up()
    found = document(space, TASK)
    assert json.dumps(found)
    assert f"{3:016x}" in [item["span_id"] for item in found["spans"]]
    write(space.journal_dir, "run", span(trace(1), 4))
    assert space.index.catch_up() == 1


@pytest.mark.parametrize(
    "wrong",
    [{"links": 1}, {"links": None}, {"links": [1]}, {"links": [["ab", "cd"]]}, {"links": {"a": 1}}],
)
def test_an_attempt_whose_links_are_none_is_counted_and_not_applied(space: Workspace, wrong: dict[str, Any]) -> None:
    attempt = {"op": "attempt", "task_id": TASK, "attempt": 1, "trace_id": trace(2), "root_span_id": f"{2:016x}"}
    write(space.journal_dir, "run", said(**{**attempt, "root_name": "x", "at": 1, **wrong}), *BORN)
    space.index.catch_up()
    assert [item["trace_id"] for item in document(space, TASK)["attempts"]] == [trace(1)]
    assert space.index.all_losses()["damaged"] == 1


def test_a_task_without_an_id_is_counted_and_not_listed(space: Workspace) -> None:
    write(space.journal_dir, "run", said(op="task", task_id=None, session_id="s", at=1), *BORN)
    space.index.catch_up()
    rows = space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=20)
    assert ([row["task_id"] for row in rows], space.index.all_losses()["damaged"]) == ([TASK], 1)


SAID = {
    "what a newer version says of a task": said(op="newer", task_id=TASK, attempt=1, at=1),
    "an attempt that is no number": said(op="join", run_id="run", task_id=TASK, attempt=[1], at=1),
    "a task that is no text": said(op="join", run_id="run", task_id=7, attempt=1, at=1),
    "a time that is none": said(op="state", task_id=TASK, status="executing", at="now"),
    "a time beyond what a database holds": said(op="state", task_id=TASK, status="executing", at=1 << 70),
    "a reference of another shape": said(op="refs", task_id=TASK, refs=[["kind", {"no": "text"}, "produced"]], at=1),
    "a reservation of another shape": said(op="reserved", file=1, operations=[{"op": "task"}]),
    "a resource of another shape": said(op="run", run_id="run", resource=[1]),
    "a resource that UTF-8 cannot say": said(op="run", run_id="run", resource={"\ud800": "\ud800", "n": 1 << 70}),
    "debts of another shape": said(op="owes", run_id="run", attempts=[7]),
    "a span that is none": frame(STARTED_SPAN, b"no message of protobuf"),
}


@pytest.mark.parametrize("record", SAID.values(), ids=SAID)
@pytest.mark.parametrize("last", [True, False])
def test_a_dead_run_is_finished_whatever_else_it_has_said(space: Workspace, record: bytes, last: bool) -> None:
    owned = said(op="join", run_id="run", task_id=TASK, attempt=1, host="h", pid=1, at=1)
    good = (*BORN, owned, span(trace(1), 3, STARTED_SPAN))
    write(space.journal_dir, "run", *((*good, record) if last else (record, *good)))
    space.refresh()
    found = document(space, TASK)
    assert {item["status"] for item in found["spans"]} == {"abandoned"}
    assert [run["left_ns"] is not None for run in found["runs"]] == [True]


@pytest.mark.parametrize("value", [{"no": "text"}, [1], 1 << 70])
def test_an_operation_that_can_never_be_applied_does_not_wait_even_alone(space: Workspace, value: object) -> None:
    write(space.journal_dir, "run", said(op="refs", task_id=TASK, refs=[["kind", value, "produced"]], at=1))
    space.index.catch_up()
    waiting = space.index.connection.execute("SELECT COUNT(*) FROM pending").fetchone()
    assert (*waiting, space.index.all_losses()["damaged"]) == (0, 1)


def test_a_day_file_whose_header_names_what_utf8_cannot_is_read(space: Workspace) -> None:
    path = space.journal_dir / "done/1970-01-02.otlp"
    path.parent.mkdir(parents=True)
    body = span(trace(1), 1)
    path.write_bytes(header("h/\ud800.otlp", len(body), 1) + body)
    assert space.index.catch_up() == 1
    assert len(list(space.index.trace_records(trace(1)))) == 1


def test_a_statement_nested_deeper_than_any_of_ours_says_nothing() -> None:
    assert decode.statement(b'{"op":"x","a":' + b"[" * 100_000) == {}


@pytest.mark.git
def test_what_is_no_hash_of_a_commit_is_no_option_for_git(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "Subject"], check=True)
    sha = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    repository, written = str(tmp_path / ".git"), tmp_path / "written"
    assert message_of(repository, f"--output={written}") is None
    assert not written.exists()
    assert message_of(repository, sha) == "Subject\n\n"
