"""The step of the driver that goes through the host's own commands: what each writes, the next reads."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import repairs  # type: ignore[import-not-found]  # it lies beside this script


def repair(package: str, registry: Callable[[], Any]) -> None:
    """Repair what stops the commands, and give them a content registry: no version publishes any content."""
    repairs.intent_audit(package)
    repairs.answer_schema(package)
    repairs.missing_tools(package)
    builder: Any = importlib.import_module(f"{package}.cli.intent_builder")
    builder.ContentRegistry = lambda *_, **__: registry()


def hand_over(chain: Any, host: Callable[[str], Any], policy: dict[str, Any]) -> dict[str, Any]:
    """Go from a request to an execution; return the exit code of each command."""
    folder = chain.folder / "commands"
    folder.mkdir()
    request = {"id": f"nl_request_{os.urandom(5).hex()}", "input_text": "Update the documentation guide",
               "project_id": "driver", "context_hints": {"files": ["docs/a.md"], "areas": ["docs"]}}  # fmt: skip
    chain.write("commands/request.json", request)
    codes = {"builder": call(host("cli.intent_builder").run, input=folder / "request.json", out=folder)}
    intent = chain.read(f"commands/{request['id']}.output.json")["execution_intent"]
    source = folder / "intent.json"
    chain.write("commands/intent.json", intent)
    codes["coordinate"] = call(host("cli.coordinate").coordinate, intent=source, output=folder)
    question = {"question_id": "q1", "type": "clarification", "question_text": "Which file?", "evidence_refs": []}
    pack = {"pack_id": f"qpack_{os.urandom(4).hex()}", "intent_id": intent["id"], "questions": [question]}
    chain.write("commands/question_pack.json", pack)
    files = {"from": folder / "question_pack.json", "out": folder / "answer_pack.json"}
    codes["answers"] = call(host("cli.answers").create_cmd, "--no-interactive", **files)
    codes["dry"] = call(host("cli.dry_executor").plan_cmd, intent=source, out=folder)
    (dry,) = folder.glob("dryexec_*.json")
    codes["plan"] = call(host("cli.executor").plan_cmd, **{"from": dry, "out": folder / "planned.json"})
    # Not the request that the command has planned: it names neither the intent nor the dry result.
    execution = {
        "execution_request_id": f"exec_req_{os.urandom(4).hex()}", "task_id": chain.new_task("By a command"),
        "dry_execution_result_id": dry.stem, "intent_id": intent["id"], "mode_id": "implementation",
        "allowed_operations": [{"action": "write_file", "params": {"path": "docs/c.md", "content": "by a command\n"}}],
    }  # fmt: skip
    chain.write("commands/execution_request.json", execution)
    chain.write("commands/policy.json", policy)
    files = {"request": folder / "execution_request.json", "policy": folder / "policy.json", "repo": chain.repo}
    codes["run"] = call(host("cli.executor").run_cmd, **files, out=folder / "out")
    return codes


def call(command: Any, *flags: str, **options: Any) -> Any:
    """Call a command as the command line does; its exit code."""
    words = [*flags, *(word for key, value in options.items() for word in (f"--{key}", str(value)))]
    try:
        command.main(words, command.name)
    except SystemExit as ended:
        return ended.code
    return 0
