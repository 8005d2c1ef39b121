"""Sample documents of runs: ok, failed, killed, resumed, running."""

from __future__ import annotations

from typing import Any, Final

START: Final = 1_780_000_000_000_000_000
SECOND: Final = 1_000_000_000
HOUR: Final = 3600 * SECOND


class Sample:
    """A document in the making; times are seconds after the task was begun."""

    def __init__(self, name: str, status: str, phase: str, ended: float | None = None) -> None:
        self.trace_id = "0af7651916cd43dd8448eb211c80319c"
        self.root_id = f"{1:016x}"
        self._count = 1
        self.document: dict[str, Any] = {
            "schema_version": 1,
            "task": {
                "task_id": "a2270093531447818639",
                "session_id": "auto_a22700935314",
                "name": name,
                "status": status,
                "phase": phase,
                "namespace": "/repositories/shop/.git",
                "created_ns": START,
                "updated_ns": at(ended),
                "ended_ns": at(ended) if status in ("completed", "failed", "cancelled") else None,
                "error_type": None,
                "trace_id": self.trace_id,
                "commit_hash": None,
                "agent_ids": [],
                **dict.fromkeys(
                    ("nl_request_id", "intent_id", "coordinator_run_id", "dry_result_id", "execution_request_id")
                ),
                "metadata": {},
            },
            **{part: [] for part in ("attempts", "runs", "spans", "refs", "artifacts", "commits", "logs")},
            "losses": {"dropped": 0, "cut": 0, "damaged": 0, "late": 0, "failed_to_send": 0},
        }
        self.attempt(status, ended)

    def attempt(self, status: str, ended: float | None, *, trace_id: str = "", started: float = 0) -> None:
        """Add an attempt; another than the first is the one that spans go to from here on."""
        number = len(self.document["attempts"]) + 1
        if trace_id:
            self.trace_id, self._count = trace_id, self._count + 1
            self.root_id = f"{self._count:016x}"
            self.document["task"]["trace_id"] = trace_id
        over = status in ("completed", "failed", "cancelled")
        self.document["attempts"].append(
            {"attempt": number, "trace_id": self.trace_id, "root_span_id": self.root_id,
             "name": f"task {self.document['task']['name']}", "status": status if over else "open",
             "error_type": None, "started_ns": at(started), "ended_ns": at(ended) if over else None,
             "sampled": True}
        )  # fmt: skip

    def run(self, started: float, left: float | None, state: str = "ended") -> str:
        """Add a run."""
        run_id = f"{len(self.document['runs']) + 1:016x}"
        self.document["runs"].append(
            {"run_id": run_id, "attempt": len(self.document["attempts"]), "host": "build-1",
             "pid": 4000 + len(self.document["runs"]), "program": "pipeline", "started_ns": at(started),
             "left_ns": None if left is None else at(left), "state": state, "late": False}
        )  # fmt: skip
        return run_id

    def root(self, status: str, ended: float) -> None:
        """Add the root span, which is written at the end."""
        self.span("task", self.document["task"]["name"], 0, ended, status=status, root=True)

    def span(
        self,
        kind: str,
        name: str,
        start: float,
        end: float | None,
        *,
        parent: str = "",
        status: str = "ok",
        error: str | None = None,
        root: bool = False,
    ) -> str:
        """Add a span; without a parent it lies below the root."""
        self._count += not root
        span_id = self.root_id if root else f"{self._count:016x}"
        prefix = {"agent": "invoke_agent", "tool": "execute_tool", "llm": "chat"}.get(kind, kind)
        self.document["spans"].append(
            {"trace_id": self.trace_id, "span_id": span_id,
             "parent_span_id": None if root else parent or self.root_id, "name": f"{prefix} {name}", "kind": kind,
             "stage": name if kind == "stage" else None, "status": status, "start_ns": at(start),
             "end_ns": None if end is None else at(end), "attempt": len(self.document["attempts"]), "run_id": "",
             "error_type": error, "attributes": {"agentos.kind": kind},
             "events": [{"name": "seen", "time_ns": at(start), "attributes": {}}], "links": []}
        )  # fmt: skip
        return span_id

    def ref(self, kind: str, value: str, role: str, stage: str, span_id: str, seen: float) -> None:
        """Add an id; a produced one is also the task's."""
        if role == "produced" and kind in self.document["task"]:
            self.document["task"][kind] = value
        self.document["refs"].append(
            {"kind": kind, "value": value, "role": role, "stage": stage, "span_id": span_id, "seen_ns": at(seen)}
        )

    def log(self, span_id: str, when: float, body: str, severity: str = "INFO") -> None:
        """Add a log record."""
        self.document["logs"].append(
            {"time_ns": at(when), "severity": severity, "body": body, "logger": "pipeline",
             "trace_id": self.trace_id, "span_id": span_id, "attributes": {}}
        )  # fmt: skip

    def artifact(self, path: str, stage: str, span_id: str, seen: float, state: str = "present") -> None:
        """Add an artifact."""
        self.document["artifacts"].append(
            {"path": path, "stage": stage, "size": 705, "sha256": "5e" * 32, "state": state, "seen_ns": at(seen),
             "span_id": span_id}
        )  # fmt: skip

    def commit(self, span_id: str, seen: float) -> None:
        """Add a commit."""
        sha = "fe6f854c1b046dfcc01e160365ce44a5fc52630e"
        task = self.document["task"]
        task["commit_hash"] = sha
        trailers = {"Task-Id": task["task_id"], "Session-Id": task["session_id"], "Trace-Id": self.trace_id}
        self.document["commits"].append(
            {"sha": sha, "repository": "/repositories/shop/.git", "branch": "rename", "trace_id": self.trace_id,
             "span_id": span_id, "rewritten_to": None, "trailers": trailers,
             "subject": "Rename total_price to amount_due", "seen_ns": at(seen)}
        )  # fmt: skip

    def intent(self) -> None:
        """Add the stage that every sample begins with."""
        stage = self.span("stage", "intent", 0.1, 1.34)
        self.span("agent", "planner", 0.2, 1.2, parent=stage)
        self.ref("intent_id", "intent_1d4b76ef", "produced", "intent", stage, 1.3)
        self.log(stage, 1.3, "intent intent_1d4b76ef: rename total_price")
        self.artifact("/work/intent.json", "intent", stage, 1.33)

    def coordination(self, start: float) -> None:
        """Add the stage that takes the intent."""
        stage = self.span("stage", "coordination", start, start + 2)
        self.ref("intent_id", "intent_1d4b76ef", "consumed", "coordination", stage, start)
        self.ref("coordinator_run_id", "coord_run_34751ad5", "produced", "coordination", stage, start + 2)


def at(seconds: float | None) -> int:
    """Return a time; None is 5 s after the start, when open tasks were last changed."""
    return START + int((5 if seconds is None else seconds) * SECOND)


def ok() -> dict[str, Any]:
    """A chain from request to commit, with two hours of waiting for a human before the execution."""
    sample = Sample("rename", "completed", "completed", 7210)
    for started, left in ((0, 1.4), (2, 4.1), (5, 6.6), (7203, 7210)):
        sample.run(started, left)
    sample.root("ok", 7210)
    sample.intent()
    sample.coordination(2)
    dry = sample.span("stage", "dry_execution", 5, 6.5)
    sample.ref("coordinator_run_id", "coord_run_34751ad5", "consumed", "dry_execution", dry, 5)
    sample.ref("dry_result_id", "dryexec_a3d9762c", "produced", "dry_execution", dry, 6.4)
    questions = sample.span("stage", "questions", 6.5, 6.55)
    sample.ref("dry_result_id", "dryexec_a3d9762c", "consumed", "questions", questions, 6.5)
    execution = sample.span("stage", "execution", 7203, 7209.5)
    sample.ref("dry_result_id", "dryexec_a3d9762c", "consumed", "execution", execution, 7203)
    agent = sample.span("agent", "editor", 7204, 7207, parent=execution)
    sample.span("llm", "small-model", 7204.1, 7205, parent=agent)
    sample.span("tool", "write_file", 7205, 7205.002, parent=agent)
    for number in range(5):
        sample.log(agent, 7205 + number / 10, f"wrote file {number}")
    git = sample.span("tool", "git_commit", 7208, 7208.07, parent=execution)
    sample.commit(git, 7208.07)
    sample.artifact("/work/shop/basket.py", "execution", git, 7208, "changed")
    sample.document["task"]["agent_ids"] = ["editor", "planner"]
    return sample.document


def failed() -> dict[str, Any]:
    """A task with an owner whose second stage raised; something was lost, and a name tries to be markup."""
    sample = Sample("rename", "failed", "coordination", 4)
    sample.document["task"]["error_type"] = sample.document["attempts"][0]["error_type"] = "ValueError"
    sample.run(0, 4)
    sample.root("error", 4)
    sample.intent()
    stage = sample.span("stage", "coordination", 2, 3.9, status="error", error="ValueError")
    sample.ref("intent_id", "intent_1d4b76ef", "consumed", "coordination", stage, 2)
    tool = sample.span("tool", "[red]list\x1b[2J files[/red]", 2.5, 3.5, parent=stage, status="error", error="OSError")
    sample.log(tool, 3, "no such folder: \x07[bold]/repositories/shop[/bold]\nlook again", "ERROR")
    sample.document["losses"] = {"dropped": 2, "cut": 1, "damaged": 0, "late": 0, "failed_to_send": 0}
    return sample.document


def killed() -> dict[str, Any]:
    """A stage whose process was killed; the task waits to be run again, and its root is not written."""
    sample = Sample("rename", "waiting", "coordination")
    sample.run(0, 1.4)
    sample.run(2, None, "dead")
    sample.intent()
    stage = sample.span("stage", "coordination", 2, 4.5, status="abandoned", error="abandoned")
    sample.span("tool", "list_files", 2.5, 4.5, parent=stage, status="abandoned", error="abandoned")
    return sample.document


def resumed() -> dict[str, Any]:
    """A stage that was killed, run again in the same trace; then another attempt in a trace of its own."""
    sample = Sample("rename", "completed", "completed", 95)
    sample.run(0, 1.4)
    sample.run(2, None, "dead")
    sample.run(60, 63)
    sample.root("ok", 95)
    sample.intent()
    sample.span("stage", "coordination", 2, 4.5, status="abandoned", error="abandoned")
    sample.coordination(60)
    sample.attempt("completed", 400, trace_id="4bf92f3577b34da6a3ce929d0e0e4736", started=300)
    sample.document["task"]["ended_ns"] = sample.document["task"]["updated_ns"] = at(400)
    sample.run(300, 400)
    execution = sample.span("stage", "execution", 301, 399)
    sample.ref("intent_id", "intent_1d4b76ef", "consumed", "execution", execution, 301)
    sample.commit(execution, 398)
    return sample.document


def running() -> dict[str, Any]:
    """A task seen while its second stage runs, with a span whose parent is missing."""
    sample = Sample("rename", "executing", "coordination")
    sample.run(0, 1.4)
    sample.run(2, None, "live")
    sample.intent()
    stage = sample.span("stage", "coordination", 2, None, status="running")
    sample.span("tool", "list_files", 2.5, 3.5, parent=stage)
    sample.span("agent", "searcher", 3.6, None, parent=stage, status="running")
    sample.span("tool", "lost", 3, 3.2, parent="00000000000000ff")
    return sample.document


SAMPLES: Final = {"ok": ok, "failed": failed, "killed": killed, "resumed": resumed, "running": running}
