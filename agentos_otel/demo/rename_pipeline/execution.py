"""Stage `execution`: the rename carried out in a worktree of its own, tested, and committed to a branch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rename_pipeline import documents, git, tools
from rename_pipeline.agent import Rename, RenameAgent
from rename_pipeline.documents import Answers, DryResult, Execution
from rename_pipeline.dry_run import digest
from rename_pipeline.errors import BadInputError, PipelineError
from rename_pipeline.ids import new_id

_LOG: Final = logging.getLogger(__name__)


def execute(
    dry_result: DryResult, answers: Answers, out: Path, agent: RenameAgent, test_command: Sequence[str] = ()
) -> Execution:
    """Carry out what the dry run showed, if the answers allow it, and write the outcome to `out`.

    Args:
        dry_result: What to do.
        answers: Whether to do it.
        out: Where the outcome goes.
        agent: Who edits.
        test_command: How the repository's tests are run; empty for unittest's discovery.

    Raises:
        BadInputError: The answers are to another dry run.
    """
    if answers["dry_result_id"] != dry_result["dry_result_id"]:
        raise BadInputError(f"the answers are to {answers['dry_result_id']}, not to {dry_result['dry_result_id']}")
    execution = Execution(
        execution_request_id=new_id("execution_request_id"),
        dry_result_id=dry_result["dry_result_id"],
        answer_pack_id=answers["answer_pack_id"],
        status="failed",
        reason="",
        branch="",
        commit="",
        tests_before=None,
        tests_after=None,
    )
    refusal = next((item for item in answers["answers"] if not item["yes"]), None)
    if refusal:
        execution["status"], execution["reason"] = "refused", f"{refusal['about']}: {refusal['reason']}"
    else:
        try:
            with git.worktree(Path(dry_result["repo"]), dry_result["base"]) as (tree, branch):
                execution["commit"] = _carry_out(dry_result, execution, tree, agent, test_command)
            execution["branch"], execution["status"] = branch, "committed"
        except BadInputError:
            raise
        except PipelineError as error:
            execution["reason"] = str(error)
    documents.write(out, execution)
    _LOG.info("execution %s: %s", execution["execution_request_id"], execution["status"])
    return execution


def _carry_out(
    dry_result: DryResult, execution: Execution, tree: Path, agent: RenameAgent, test_command: Sequence[str]
) -> str:
    """Edit, test and commit in `tree`; return the sha."""
    execution["tests_before"] = before = tools.run_tests(tree, test_command)
    if not before["passed"]:
        raise PipelineError("the tests fail before the rename")
    if agent.plan(dry_result["request"]) != Rename(dry_result["old"], dry_result["new"]):
        raise PipelineError("the agent now reads another rename in the request")
    paths = [change["path"] for change in dry_result["changes"]]
    for change in dry_result["changes"]:
        edited = agent.edit(change["path"], tools.read_file(tree, change["path"]))
        if digest(edited) != change["sha256"]:
            raise PipelineError(f"{change['path']} came out otherwise than in the dry run")
        tools.write_file(tree, change["path"], edited)
    execution["tests_after"] = after = tools.run_tests(tree, test_command)
    if not after["passed"]:
        raise PipelineError("the tests fail after the rename")
    subject = f"Rename {dry_result['old']} to {dry_result['new']}"
    sha = tools.git_commit(tree, paths, f"{subject}\n\nIn {len(paths)} files, as dry run showed.")
    _LOG.info("committed %s", sha)
    return sha
