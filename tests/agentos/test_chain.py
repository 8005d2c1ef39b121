"""AgentOS, untouched: its chain as separate processes is one task, and the host behaves as without us."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agentos_otel.query.tree import build, walk
from tests.agentos.chain import Chain
from tests.agentos.points import NOT_REACHED, fired, lacking, points

pytestmark = [pytest.mark.agentos, pytest.mark.git, pytest.mark.timeout(900)]


def git(chain: Chain, *arguments: str) -> str:
    command = ["git", "-C", str(chain.folder / "repo"), *arguments]
    return subprocess.run(command, env=chain.environ, capture_output=True, text=True, check=True).stdout.strip()


def read(chain: Chain, name: str) -> Any:
    return json.loads((chain.folder / name).read_text())


def tables(chain: Chain) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the host's own tables, oldest first."""
    homes = chain.folder.glob(f"home/.*/store/{chain.host.package}/db.sqlite")
    (path,) = [*chain.folder.glob("store/registry.sqlite"), *homes]
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY rowid")]
            for name in names if "_fts" not in name
        }  # fmt: skip


def rows(chain: Chain) -> list[dict[str, Any]]:
    """Return the host's own rows of tasks, oldest first."""
    return tables(chain)["tasks"]


def ancestors(spans: list[dict[str, Any]], span: dict[str, Any]) -> list[str]:
    """Return the names of the spans above one, nearest first."""
    by_id = {item["span_id"]: item for item in spans}
    names = []
    while span["parent_span_id"] in by_id:
        span = by_id[span["parent_span_id"]]
        names.append(span["name"])
    return names


def test_the_chain_of_separate_processes_is_one_task_and_one_trace(traced: Chain) -> None:
    found = traced.document(git(traced, "rev-parse", "HEAD"))
    assert (found["task"]["status"], len(found["attempts"])) == ("completed", 1)
    assert {span["trace_id"] for span in found["spans"]} == {found["task"]["trace_id"]}
    names = {span["name"] for span in found["spans"]}
    stages = {"stage intent", "stage coordination", "stage dry_execution", "stage execution"}
    assert {"task intent", "commit"} | stages <= names
    assert [span["name"] for span in found["spans"] if span["parent_span_id"] is None] == ["task intent"]
    assert not [node.span["name"] for _, node in walk(build(found["spans"])) if node.orphan]
    assert {run["program"] for run in found["runs"]} == {"driver.py"}
    assert len(found["runs"]) == 5


def test_model_calls_and_the_commit_lie_below_the_stage_that_made_them(traced: Chain) -> None:
    spans = traced.document(git(traced, "rev-parse", "HEAD"))["spans"]
    above = {span["name"]: ancestors(spans, span) for span in spans if span["kind"] in ("llm", "commit")}
    chats = [ancestors(spans, span) for span in spans if span["kind"] == "llm"]
    assert [names[-2] for names in chats] == ["stage answer_suggestions", "stage followup_questions"]
    assert above["commit"][:2] == ["execute_tool git_commit", "execute_tool git_commit"]
    assert "stage execution" in above["commit"]
    assert {span["attributes"]["gen_ai.request.model"] for span in spans if span["kind"] == "llm"} == {"fake-model"}


def test_every_id_of_the_pipeline_leads_to_its_task(traced: Chain) -> None:
    intent, answers = read(traced, "intent.json"), read(traced, "answers.json")
    request, result = read(traced, "execution_request.json"), read(traced, "result.json")
    found = traced.document(git(traced, "rev-parse", "HEAD"))
    ids = [
        intent["nl_request_id"],
        intent["execution_intent"]["id"],
        read(traced, "coordinator.json")["run_id"],
        read(traced, "dry.json")["result_id"],
        answers["pack"]["pack_id"],
        answers["answers"]["answer_pack_id"],
        request["execution_request_id"],
        git(traced, "rev-parse", "HEAD"),
        request["task_id"],
        result["operations_executed"][1]["result"]["commit_hash"],
        found["task"]["trace_id"],
        next(span["span_id"] for span in found["spans"] if span["kind"] == "commit"),
    ]
    assert {traced.task_of(identifier) for identifier in ids} == {found["task"]["task_id"]}


def test_the_commit_on_main_has_another_sha_than_in_the_worktree_and_both_are_known(traced: Chain) -> None:
    sha = git(traced, "rev-parse", "HEAD")
    worktree = read(traced, "result.json")["operations_executed"][1]["result"]["commit_hash"]
    found = traced.document(sha)
    commits = {commit["sha"]: commit for commit in found["commits"]}
    assert sha != worktree
    assert commits[worktree]["rewritten_to"] == sha
    assert found["task"]["commit_hash"] == sha
    trailers = {"Task-Id": found["task"]["task_id"], "Trace-Id": found["task"]["trace_id"]}
    assert commits[sha]["trailers"].items() >= trailers.items()


def test_the_host_s_rows_carry_the_trace_of_our_store(traced: Chain) -> None:
    found = rows(traced)
    with_work = [row for row in found if row["title"] != "Agents"]
    for row in with_work:
        assert row["trace_id"] == traced.document(row["task_id"])["task"]["trace_id"], row["title"]
    request = read(traced, "execution_request.json")
    (row,) = (row for row in found if row["task_id"] == request["task_id"])
    assert traced.document(request["task_id"])["task"]["session_id"] == row["session_id"]
    pipeline = next(row for row in found if row["title"].startswith("Pipeline"))
    assert json.loads(pipeline["metadata"])["trace_id"] == pipeline["trace_id"]


def test_a_failure_that_comes_back_as_a_value_is_one(traced: Chain) -> None:
    request_id = read(traced, "denied.json")["execution_request_id"]
    found = traced.document(request_id)
    (stage,) = (span for span in found["spans"] if span["name"] == "stage execution")
    assert (stage["status"], stage["error_type"]) == ("error", "returned_failure")
    assert found["task"]["task_id"] == read(traced, "denied.json")["task_id"], "the host's own id is the key"


def test_the_runner_s_thread_and_child_belong_to_the_host_s_task(traced: Chain) -> None:
    if "runner_thread" not in traced.steps:
        assert "core.runner.launcher.TaskLauncher.launch_task" in lacking(traced)
        return
    for file, before in (("thread.json", "stage launch"), ("child.json", None)):
        task_id = read(traced, file)["task_id"]
        found = traced.document(task_id)
        names = [span["name"] for span in found["spans"]]
        assert "stage runner" in names
        assert any(name.startswith("stage ") and name not in ("stage runner", "stage launch") for name in names)
        assert before is None or before in names
        assert not [node.span["name"] for _, node in walk(build(found["spans"])) if node.orphan]
        runner = next(span for span in found["spans"] if span["name"] == "stage runner")
        assert runner["attributes"]["agentos.host_task_id"] == task_id


def test_artifacts_of_the_execution_are_listed_by_phase(traced: Chain) -> None:
    found = traced.document(git(traced, "rev-parse", "HEAD"))
    names = {Path(item["path"]).name for item in found["artifacts"] if item["stage"] == "execution"}
    assert {"execution_result.json", "run_tape.jsonl", "sandbox_proof.json", "execution_summary.json"} <= names
    assert [name for name in names if name.endswith(".patch")]
    assert {item["state"] for item in found["artifacts"]} == {"present"}


def test_the_files_that_the_commands_read_and_write_belong_to_their_task(traced: Chain) -> None:
    found = traced.document(read(traced, "commands/execution_request.json")["intent_id"])
    listed: dict[str, set[str]] = {}
    for item in found["artifacts"]:
        assert item["state"] == "present"
        listed.setdefault(item["stage"], set()).add(masked(Path(item["path"]).name))
    wanted = {
        "intent": {"request.json", "nl_request_#.output.json"},
        "coordination": {"intent.json", "coordinator_run_tape.json"},
        "answers": {"question_pack.json", "answer_pack.json"},
        "dry_execution": {"intent.json", "dryexec_#.json"},
        "execution": {"execution_request.json", "policy.json"},
    }
    assert {stage: listed[stage] & names for stage, names in wanted.items()} == wanted


def test_what_the_scheduler_runs_belongs_to_the_task_of_the_same_id(traced: Chain) -> None:
    for task_id in read(traced, "schedule.json")["tasks"]:
        found = traced.document(task_id)
        assert found["task"]["task_id"] == task_id, "one id in the host, for the scheduler and for us"
        assert [span["name"] for span in found["spans"]].count("stage scheduled_task") == 2, "in a row and in parallel"


def test_a_run_of_the_host_s_table_of_runs_leads_to_its_task(traced: Chain) -> None:
    (run,) = tables(traced)["task_runs"]
    assert read(traced, "rest.json")["lease"] == f"task:{run['task_id']}:{run['id']}"
    assert traced.task_of(f"task:{run['task_id']}:{run['id']}") == traced.task_of(run["task_id"])


def test_agents_that_the_host_calls_are_in_our_table_of_agents(traced: Chain) -> None:
    if traced.host.version == "v0.1.0":
        assert "ext.tools.claude_cli_adapter.ClaudeCliAdapter.run" in lacking(traced)
        return
    found = traced.document(read(traced, "agents.json")["task_id"])
    assert {"claude_cli", "ollama"} <= set(found["task"]["agent_ids"])


def masked(value: Any) -> Any:
    """Return a value with what differs between any two runs masked: ids, times, folders, our own key."""
    if isinstance(value, dict):
        return {
            masked(key): masked(item) for key, item in value.items() if key not in ("trace_id", "processing_time_ms")
        }
    if isinstance(value, list):
        shown = [masked(item) for item in value]
        return sorted(shown) if all(isinstance(item, str) for item in shown) else shown  # made of sets, in any order
    if isinstance(value, str):
        text = re.sub(r"/[^\s'\"]*/(bare|traced)\d+\b", "<folder>", value)
        text = re.sub(r"[0-9A-HJKMNP-TV-Z]{26}|\b01[0-9A-Z]{6}\b", "#", text)  # of digits alone it may be any id
        return re.sub(r"(?i:[0-9a-f]{6,})|\d+", "#", text)
    return "#" if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def files(chain: Chain) -> dict[str, Any]:
    """Return what lies in the chain's folder by name, masked: JSON as values, other files as text."""
    found: dict[str, Any] = {}
    for path in sorted(chain.folder.rglob("*")):
        name = path.relative_to(chain.folder)
        if name.parts[0] in ("home", "tmp", "state", "bin", "ours", "store") or ".git" in name.parts or path.is_dir():
            continue
        held = path.read_text()
        lines = held.splitlines() if path.suffix == ".jsonl" else [held] if path.suffix == ".json" else []
        shown = [masked(json.loads(line)) for line in lines] or masked(held)
        # A patch holds the message, and so our trailers: of it only the name, which the subject makes.
        found.setdefault(masked(str(name)), []).append("a patch" if path.suffix == ".patch" else shown)
    return {name: sorted(several, key=text) for name, several in found.items()}  # two requests have one masked name


def test_the_host_s_files_results_exceptions_and_exit_codes_are_the_same_with_and_without_us(
    bare: Chain, traced: Chain
) -> None:
    without, with_us = files(bare), files(traced)
    assert with_us.keys() == without.keys()
    for name, shown in without.items():
        assert with_us[name] == shown, name
    results = {f"{step}.json" for step in ("result", "denied", "pipeline", "commands", "agents", "schedule", "rest")}
    assert results <= {path.name for path in traced.folder.iterdir()}
    assert git(bare, "log", "--format=%an %ae %s") == git(traced, "log", "--format=%an %ae %s")


def test_the_host_s_rows_are_the_same_but_for_the_trace(bare: Chain, traced: Chain) -> None:
    without, with_us = tables(bare), tables(traced)
    assert with_us.keys() == without.keys()
    for name, expected in without.items():
        found = [{key: decoded(value) for key, value in row.items()} for row in with_us[name]]
        wanted = [{key: decoded(value) for key, value in row.items()} for row in expected]
        # How often a runner turns in a state until it is cancelled, and in which order two threads write, is chance.
        assert {text(row) for row in masked(found)} == {text(row) for row in masked(wanted)}, name
        if name in ("tasks", "task_runs", "task_agents"):
            assert len(found) == len(wanted), name
    assert [key for key in rows(traced)[0] if key not in rows(bare)[0]] == ["trace_id"]


def decoded(value: Any) -> Any:
    """Return a column's value, JSON as what it holds."""
    try:
        return json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value
    except ValueError:
        return value


def text(row: Any) -> str:
    return json.dumps(row, sort_keys=True, default=str)


def test_every_point_has_fired_or_the_version_lacks_it(traced: Chain) -> None:
    lacks = lacking(traced)
    silent = [point for point in points() if point not in fired(traced) | lacks]
    assert silent == [point for point in NOT_REACHED.get(traced.host.version, ()) if point not in lacks]


MESSAGES = {
    "dashes": "Subject\n\nabove\n---\nbelow the line",
    "index": "Subject\n\nIndex: nothing\nmore",
    "crlf": "Subject\r\n\r\nA body\r\nof two lines\r\n",
    "non-ascii": "Änderung \u2013 \u6587\u6863\n\nK\u00f6rper",
    "trailers": "Subject\n\nBody\n\nSigned-off-by: Somebody <s@example.org>",
    "subject": "Subject alone",
}


@pytest.fixture(scope="module")
def executed(host: Any, model_url: str, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    chain = Chain(host, tmp_path_factory.mktemp("messages"), model_url)
    chain.traced("init", "intent", "coordinate", "dry_run")
    return chain


@pytest.mark.parametrize("kind", MESSAGES)
def test_the_trailers_reach_main_whatever_the_message_holds(executed: Chain, kind: str) -> None:
    executed.traced("execute", DRIVER_MESSAGE=MESSAGES[kind])
    sha = git(executed, "rev-parse", "HEAD")
    found = executed.document(sha)
    (commit,) = (commit for commit in found["commits"] if commit["sha"] == sha)
    task, trailers = found["task"], commit["trailers"]
    assert [trailers["Task-Id"], trailers["Session-Id"], trailers["Trace-Id"]] == [
        task["task_id"], task["session_id"], task["trace_id"]
    ]  # fmt: skip
    assert git(executed, "log", "-1", "--format=%(trailers:key=Task-Id,valueonly)") == task["task_id"]
