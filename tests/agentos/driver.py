"""Drives the longest chain that AgentOS reaches, one step a process, on a real checkout or on the stand-in.

`python driver.py STEP FOLDER`: the steps hand over files in FOLDER, as the host's own commands do. It knows nothing of
tracing. What stops the published versions is repaired in memory by `repairs.py`; no file of the host is changed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands  # type: ignore[import-not-found]  # it lies beside this script
import repairs  # type: ignore[import-not-found]

PACKAGE = next(name for name in ("octopusos", "agentos") if importlib.util.find_spec(name) is not None)
MESSAGE = os.environ.get("DRIVER_MESSAGE", "Add a note\n\nWritten by the chain.")


def host(module: str) -> Any:
    """Import a module of the host; `core.mode` first, as its packages import each other in a circle otherwise."""
    importlib.import_module(f"{PACKAGE}.core.mode")
    return importlib.import_module(f"{PACKAGE}.{module}")


def has(module: str) -> bool:
    """Whether this version has the module and can import it."""
    try:
        host(module)
    except ImportError:
        return False
    return True


class Chain:
    """The steps; each reads and writes files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repo = folder / "repo"

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())

    def write(self, name: str, value: Any) -> None:
        (self.folder / name).write_text(json.dumps(value, indent=1, default=str))

    def database(self) -> Path:
        found: Path = repairs.database_path(PACKAGE)
        return found

    def new_task(self, title: str) -> str:
        """Let the host bear a task, with its specification frozen as the executor asks since v0.3.1."""
        manager = host("core.task.manager").TaskManager()
        task = manager.create_task(title, self.session(), created_by="driver", metadata={"note": 1})
        self.freeze(task.task_id)
        return str(task.task_id)

    def session(self) -> str:
        """Return a session that is there: since v2.1.0 one that the host makes itself breaks its own foreign key."""
        made: str = repairs.new_session(self.database())
        return made

    def freeze(self, task_id: str) -> None:
        connection = sqlite3.connect(self.database(), timeout=10)
        names = {row[1] for row in connection.execute("PRAGMA table_info(tasks)")}
        if "spec_frozen" in names:
            connection.execute("UPDATE tasks SET spec_frozen = 1 WHERE task_id = ?", (task_id,))
            connection.commit()
        connection.close()

    def cancel(self, task_id: str) -> None:
        connection = sqlite3.connect(self.database(), timeout=10)
        connection.execute("UPDATE tasks SET status = 'canceled' WHERE task_id = ?", (task_id,))
        connection.commit()
        connection.close()

    # --- the steps ---

    def init(self) -> None:
        """Make the host's database, and a repository with one commit."""
        repairs.lenient_migrations(PACKAGE)
        host("store").init_db()
        repairs.drop_broken_triggers(self.database())
        repairs.missing_column(self.database())
        identity = ["-c", "user.name=Driver", "-c", "user.email=driver@example.org"]
        subprocess.run(["git", "init", "-q", "-b", "main", self.repo], check=True)
        (self.repo / "docs").mkdir()
        (self.repo / "docs" / "a.md").write_text("one\n")
        subprocess.run(["git", "-C", self.repo, "add", "."], check=True)
        subprocess.run(["git", "-C", self.repo, *identity, "commit", "-q", "-m", "First"], check=True)
        self.write("policy.json", POLICY)

    def intent(self) -> None:
        """Build the intent from a request."""
        repairs.intent_audit(PACKAGE)
        builder = host("core.intent_builder.builder").IntentBuilder(Registry())
        request = {
            "id": f"nl_request_{os.urandom(5).hex()}", "input_text": "Update the documentation guide",
            "project_id": "driver", "context_hints": {"files": ["docs/a.md"], "areas": ["docs"]},
        }  # fmt: skip
        self.write("intent.json", builder.build_intent(request, "semi_auto"))

    def coordinate(self) -> None:
        """Coordinate the intent."""
        engine = host("core.coordinator.engine").CoordinatorEngine(Registry(), None)
        run = engine.coordinate(self.read("intent.json")["execution_intent"], {"mode": "semi_auto"}, {})
        self.write("coordinator.json", dataclasses.asdict(run))

    def answers(self) -> None:
        """Ask and answer one round, with suggestions and a follow-up from the model."""
        run = self.read("coordinator.json")
        rounds = host("core.answers.multiround")
        suggester = host("core.answers.llm_suggester").LLMSuggester(model="fake-model")
        question = {"question_id": "q1", "type": "clarification", "question_text": "Which file?", "evidence_refs": []}
        pack = {
            "pack_id": f"qpack_{os.urandom(4).hex()}", "coordinator_run_id": run["run_id"],
            "intent_id": run["intent_id"], "questions": [question],
            "policy_constraints": {"execution_mode": "semi_auto", "budget_remaining": 2},
        }  # fmt: skip
        coordinator = rounds.MultiRoundCoordinator(pack, suggester)
        round_id = coordinator.start_round(pack)
        suggestions = suggester.suggest_answers(question, pack)
        answers = {
            "answer_pack_id": f"apack_{os.urandom(4).hex()}", "question_pack_id": pack["pack_id"],
            "intent_id": run["intent_id"], "answers": [{"question_id": "q1", "answer_text": "It depends on the file"}],
        }  # fmt: skip
        followup = coordinator.generate_followup_questions(answers, "q1")
        coordinator.complete_round(round_id, answers)
        self.write("answers.json", {"pack": pack, "answers": answers, "suggestions": suggestions, "more": followup})

    def dry_run(self) -> None:
        """Plan without executing."""
        intent = self.read("intent.json")["execution_intent"]
        result = host("core.executor_dry.dry_executor").run_dry_execution(intent, self.read("coordinator.json"))
        self.write("dry.json", result)

    def execute(self) -> None:
        """Write a file, commit it in a worktree and bring it back to main."""
        engine_module = host("core.executor.executor_engine")
        repairs.missing_tools(PACKAGE)
        dry = self.read("dry.json")
        task_id = self.new_task("Update the guide")
        operations = [
            {"action": "write_file", "params": {"path": "docs/b.md", "content": f"{os.urandom(4).hex()}\n"}},
            {"action": "git_commit", "params": {"message": MESSAGE}},
        ]
        request = {
            "execution_request_id": f"exec_req_{os.urandom(4).hex()}", "task_id": task_id,
            "dry_execution_result_id": dry["result_id"], "intent_id": dry["intent_ref"]["intent_id"],
            "mode_id": "implementation", "allowed_operations": operations,
        }  # fmt: skip
        self.write("execution_request.json", request)
        engine = engine_module.ExecutorEngine(self.repo, self.folder / "out")
        self.write("result.json", engine.execute(request, {}, self.folder / "policy.json", **caller(engine)))

    def denied(self) -> None:
        """An execution that the policy refuses: its failure comes back as a value."""
        repairs.missing_tools(PACKAGE)
        engine = host("core.executor.executor_engine").ExecutorEngine(self.repo, self.folder / "out")
        operation = {"action": "write_file", "params": {"path": "etc/x", "content": ""}}
        request = {
            "execution_request_id": f"exec_req_{os.urandom(4).hex()}", "task_id": self.new_task("Write elsewhere"),
            "mode_id": "implementation", "allowed_operations": [operation],
        }  # fmt: skip
        self.write("denied.json", engine.execute(request, {}, self.folder / "policy.json", **caller(engine)))

    def pipeline(self) -> None:
        """Run the pipeline of modes, which bears its own task."""
        selection = host("core.mode.mode_selector").ModeSelector().select_mode("Update the guide")
        runner = host("core.mode.pipeline_runner").ModePipelineRunner(self.folder / "pipeline")
        policy = self.folder / "policy.json"
        result = runner.run_pipeline(selection, "Update the guide", self.repo, policy, session_id=self.session())
        self.write("pipeline.json", dataclasses.asdict(result))

    def runner_thread(self) -> None:
        """Launch a draft in the host's background thread."""
        draft = (
            host("core.task.service")
            .TaskService()
            .create_draft_task("In a thread", self.session(), created_by="driver")
        )
        self.freeze(draft.task_id)
        launcher = host("core.runner.launcher").TaskLauncher(repo_path=self.repo)
        launched = launcher.launch_task(draft.task_id, actor="driver")
        began = time.monotonic()
        while launcher.is_task_running(draft.task_id) and time.monotonic() < began + 60:
            time.sleep(0.05)
            if time.monotonic() > began + 3:  # as published it turns in a state for a minute: the user cancels it
                self.cancel(draft.task_id)
        self.write("thread.json", {"task_id": draft.task_id, "launched": launched})

    def runner_child(self) -> None:
        """Run a task in a child process, as the host's command line does."""
        task_id = self.new_task("In a child")
        module = f"{PACKAGE}.core.runner.task_runner"
        child = subprocess.Popen(
            [sys.executable, "-m", module, task_id], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self.write("child.json", {"task_id": task_id, "code": child.wait(timeout=90)})

    def commands(self) -> None:
        """Hand over files through the host's own commands."""
        commands.repair(PACKAGE, Registry)
        self.write("commands.json", commands.hand_over(self, host, POLICY))

    def agents(self) -> None:
        """Call the models and tools that no stage of the published versions calls."""
        task_id = self.new_task("Agents")
        done: dict[str, Any] = {"task_id": task_id}
        selection = host("core.schemas").ModeSelection("planning", ["planning"], 0.9, "driver") if has(
            "core.schemas") else None  # fmt: skip
        builder = host("core.executor_dry.open_plan_builder").OpenPlanBuilder(model="fake-model")
        done["plan"] = outcome(lambda: type(builder.build("Update", selection, {"task_id": task_id})).__name__)
        proposer = host("core.mode.mode_proposer").ModeProposer(model="fake-model")
        done["mode"] = outcome(lambda: type(proposer.propose_mode("Update the guide")).__name__)
        done["spec"] = outcome(lambda: host("core.llm.openai_client").OpenAIClient().generate_agent_spec({}, "qa", {}))
        chat = host("core.chat.adapters").OpenAIChatAdapter(model="fake-model")
        message = [{"role": "user", "content": "hello"}]
        done["chat"] = outcome(lambda: chat.generate(message))
        done["stream"] = outcome(lambda: "".join(map(str, chat.generate_stream(message))))
        if has("ext.tools.claude_cli_adapter"):
            task = host("ext.tools.types").ToolTask(task_id, "Say hello", str(self.repo))
            for name, module, arguments in ADAPTERS:
                adapter = getattr(host(f"ext.tools.{module}"), name)(*arguments)
                done[name] = outcome(lambda adapter=adapter: adapter.run(task, allow_mock=True).status)
        if has("core.model.model_invoker"):
            done["invoke"] = outcome(lambda: host("core.model.model_invoker").ModelInvoker().invoke("none", "hello"))
        self.write("agents.json", done)

    def schedule(self) -> None:
        """Schedule two tasks, one after the other and in parallel."""
        scheduler = host("core.scheduler.scheduler").Scheduler()
        tasks = [{"task_id": self.new_task(f"Scheduled {number}")} for number in (1, 2)]
        done = {
            "tasks": [task["task_id"] for task in tasks],
            "sequential": outcome(lambda: scheduler.schedule_sequential(tasks, lambda task: True)),
            "parallel": outcome(lambda: scheduler.schedule_parallel(tasks, lambda task: True, max_workers=2)),
        }
        self.write("schedule.json", done)

    def rest(self) -> None:
        """Call what no chain of the published versions calls, inside a task that a scheduler runs."""
        done: dict[str, Any] = {}

        def work(task: dict[str, Any]) -> bool:
            done.update({name: outcome(call) for name, call in self.uncalled().items()})
            return True

        scheduler = host("core.scheduler.scheduler").Scheduler()
        scheduler.schedule_sequential([{"task_id": self.new_task("The rest")}], work)
        tasks = [{"task_id": "scheduled_task_1"}]
        done["mixed"] = outcome(lambda: scheduler.schedule_mixed(tasks, lambda task: True))
        done["cron"] = outcome(lambda: scheduler.schedule_cron(None, lambda task: True))
        self.write("rest.json", done)

    def uncalled(self) -> dict[str, Callable[[], Any]]:
        """Return the calls by name; each may fail in its own way, which is part of the version's profile."""
        head = subprocess.run(["git", "-C", self.repo, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        point = {"type": "worktree", "commit_hash": head.stdout.strip(), "worktree_path": str(self.repo)}
        message = [{"role": "user", "content": "hello"}]
        ollama = host("core.chat.adapters").OllamaChatAdapter(model="fake-model", base_url="http://127.0.0.1:9")
        suggester = host("core.answers.llm_suggester").LLMSuggester("anthropic", model="fake-model", api_key="none")
        engine = host("core.executor.async_engine").AsyncExecutorEngine(self.repo, self.folder / "out")
        request = {"execution_request_id": "exec_req_async", "allowed_operations": []}
        pack = {"pack_id": "qpack_rest", "policy_constraints": {}}
        calls = {
            "command": lambda: host("core.infra.tool_executor").ToolExecutor.execute_command(["true"], self.repo),
            "rollback": lambda: host("core.executor.rollback").RollbackManager(self.repo).rollback_to(point, False),
            "async": lambda: asyncio.run(engine.execute(request, {})),
            "anthropic": lambda: suggester.suggest_answers({}, pack),
            "ollama": lambda: ollama.generate(message),
            "ollama_stream": lambda: list(ollama.generate_stream(message)),
        }
        run = repairs.new_run(self.database(), self.new_task("Leased"))
        locks = host("core.locks.task_lock").TaskLockManager(self.database())
        calls["lease"] = lambda: locks.acquire(run, "driver").lock_id
        calls["mode"] = lambda: host("core.mode.mode_selector").ModeSelector().select_mode("Update").primary_mode
        manager = host("core.task.manager").TaskManager()
        calls["audit"] = lambda: manager.add_audit(self.new_task("Audited"), "driver_audit")
        if has("core.task.service"):
            drafts = host("core.task.service").TaskService()
            calls["draft"] = lambda: drafts.create_draft_task("Inside a task", self.session()).title
        if has("cli.coordinate"):
            calls["write"] = lambda: host("cli.coordinate")._write_json(self.folder / "tape.json", {"steps": []})
        if has("router.router"):
            router = host("router.router").Router()
            calls["route"] = lambda: asyncio.run(router.route("scheduled_task_1", {}))
            calls["verify"] = lambda: asyncio.run(router.verify_or_reroute("scheduled_task_1", None))
        if has("core.review.pack_generator"):
            calls["review"] = lambda: host("core.review.pack_generator").ReviewPackGenerator().generate(1)
        if has("core.chat.engine"):
            calls["message"] = lambda: host("core.chat.engine").ChatEngine().send_message("no_such_session", "hello")
        return calls


ADAPTERS = [
    ("ClaudeCliAdapter", "claude_cli_adapter", ()),
    ("OllamaAdapter", "ollama_adapter", ()),
    ("OpenAIChatAdapter", "openai_chat_adapter", ()),
    ("LlamaCppAdapter", "llamacpp_adapter", ()),
]
POLICY = {
    "policy_id": "driver", "schema_version": "0.11.1", "allowed_git_operations": ["git_add", "git_commit"],
    "allowlist": {"file_operations": ["write_file", "update_file", "mkdir"], "paths": ["docs/**", "docs/*"],
                  "commands": []},
    "limits": {"max_file_size_mb": 10, "max_files": 100, "timeout_seconds": 60},
}  # fmt: skip


class Registry:
    """A content registry with one agent: the host's own needs content that no version publishes."""

    def list(self, type_: str = "", status: str = "", limit: int = 100) -> list[dict[str, Any]]:
        spec = {"category": "docs", "responsibilities": ["documentation"], "keywords": ["guide", "documentation"]}
        item = {"id": "technical_writer", "type": type_, "version": "1.0.0", "status": "active", "spec": spec,
                "metadata": {}, "lineage": {}}  # fmt: skip
        return [item] if type_ == "agent" else []


def caller(engine: Any) -> dict[str, str]:
    """Return `caller_source` where this version wants it: without it the published executor raises a NameError."""
    import inspect

    wanted = "caller_source" in inspect.signature(engine.execute).parameters
    return {"caller_source": "task_runner"} if wanted else {}


def outcome(call: Any) -> Any:
    """Return what a call returned, or the exception as text: the defects of a version are part of its profile."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - any of them
        return f"{type(error).__name__}: {error}"


def main(step: str, folder: str) -> None:
    getattr(Chain(Path(folder)), step)()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
