"""Operations in a worktree, their commits brought back to main by git am; most errors come back as values."""

import hashlib
import json
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from ..infra.git_client import GitClient
from ..mode import mode_selector as _modes  # the circle: core.mode imports this module
from ..task import TaskManager
from ..time import now
from .._version_gate import VERSION
from .rollback import RollbackManager
from .run_tape import RunTape
from .sandbox import Sandbox


class PolicyDeniedError(Exception):
    def __init__(self, message, operation, reason):
        super().__init__(message)
        self.operation, self.reason = operation, reason


class ExecutorEngine:
    def __init__(self, repo_path, output_dir, lock_dir=None, approval_dir=None):
        self.repo_path, self.output_dir = Path(repo_path), Path(output_dir)
        self.output_dir.mkdir(parents=True, exist_ok=True)
        self.sandbox, self.audit_logger = None, None
        self.rollback_manager, self.task_manager = RollbackManager(repo_path), TaskManager()

    if VERSION >= (0, 3, 1):

        def execute(self, execution_request, sandbox_policy, policy_path=None, caller_source="unknown"):
            if caller_source != "task_runner":
                logger.warning("Execution called with %s", caller_source)  # as published: NameError
            return self._execute(execution_request, policy_path)

        def _execute_operation(self, op, worktree_path, op_id=None, skip_planning_guard=False):
            return self._operate(op, worktree_path, op_id)

    else:

        def execute(self, execution_request, sandbox_policy, policy_path=None):
            return self._execute(execution_request, policy_path)

        def _execute_operation(self, op, worktree_path, op_id=None):
            return self._operate(op, worktree_path, op_id)

    def _execute(self, request, policy_path):
        request_id = request["execution_request_id"]
        run_dir = self.output_dir / request_id
        tape = RunTape(run_dir / "audit")
        task_id, tape_log = request.get("task_id"), tape.audit_logger
        task = self.task_manager.get_task(task_id)
        started = now()
        common = {"execution_result_id": f"exec_result_{request_id}", "schema_version": "0.11.1",
                  "execution_request_id": request_id}
        if task is None:
            if VERSION >= (0, 3, 1):
                tape_log.log_error(f"Task {task_id} not found in database")
                return {**common, "status": "failed", "error": "not found", "started_at": started, "completed_at": now()}
        elif VERSION >= (0, 3, 1) and task.spec_frozen != 1 and VERSION < (3, 2, 0):
            from ..task.errors import SpecNotFrozenError

            tape_log.log_event("execution_blocked_spec_not_frozen", details={"task_id": task_id})
            raise SpecNotFrozenError("Execution requires spec_frozen = 1")
        self.audit_logger = tape_log
        tape_log.log_event("execution_start", details={"execution_request_id": request_id, "task_id": task_id})
        self.task_manager.add_lineage(task_id=task_id, kind="execution_request", ref_id=request_id, phase="execution")
        policy = json.loads(Path(policy_path).read_text()) if policy_path else None
        try:
            base = GitClient(self.repo_path).get_head_sha()
            self.sandbox = Sandbox(self.repo_path)
            worktree = self.sandbox.create_worktree(request_id)
            tape_log.log_event("sandbox_created", details={"worktree_path": str(worktree)})
            point = self.rollback_manager.create_rollback_point("pre_execution", worktree)
            tape_log.log_event("rollback_point_created", details=point)
            done = []
            for number, op in enumerate(request.get("allowed_operations", []), 1):
                self._check(op, policy)
                done.append(self._execute_operation(op, worktree, f"op_{number:03d}"))
            tape_log.log_event("execution_complete")
            back, patches = self._bring_back_commits_from_worktree(worktree, base, point, run_dir, request_id, policy)
            result = {
                **common, "task_id": task_id, "status": "success", "operations_executed": done, "rollback_point": point,
                "commits_brought_back": back, "patches_generated": patches, "started_at": started,
                "completed_at": now(), "mode": request.get("mode_id", "implementation"),
            }
            self.task_manager.update_task_status(task_id, "succeeded")
            self._summary(run_dir, request_id, "success")
            (run_dir / "execution_result.json").write_text(json.dumps(result))
            return result
        except PolicyDeniedError as error:
            tape_log.log_error(f"Policy denied: {error.reason}")
            self.task_manager.update_task_status(task_id, "failed")
            self._summary(run_dir, request_id, "denied")
            return {
                **common, "task_id": task_id, "status": "denied", "error": str(error),
                "policy_denied": {"operation": error.operation, "reason": error.reason}, "started_at": started,
                "completed_at": now(),
            }
        except Exception as error:
            tape_log.log_error(str(error))
            if VERSION >= (0, 3, 1):
                return None  # as published: its first handler falls through
            self.task_manager.update_task_status(task_id, "failed")
            return {**common, "task_id": task_id, "status": "failed", "error": str(error), "started_at": started,
                    "completed_at": now()}
        finally:
            if self.sandbox:
                self.sandbox.remove_worktree()

    def _check(self, op, policy):
        path = op.get("params", {}).get("path")
        if policy and path and not any(fnmatch(path, item) for item in policy["allowlist"]["paths"]):
            raise PolicyDeniedError(f"Path '{path}' is not allowed by policy", op["action"], "Path not in allowlist")

    def _summary(self, run_dir, request_id, status):
        folder = run_dir / "reports"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "execution_summary.json").write_text(json.dumps({"id": request_id, "status": status}))

    def _operate(self, op, worktree_path, op_id):
        action, params = op.get("action"), op.get("params", {})
        self.audit_logger.log_event("operation_start", op_id, {"operation_type": action})
        try:
            if action == "write_file":
                file = worktree_path / params["path"]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(params["content"])
                result = {"path": params["path"]}
            elif action == "git_commit":
                client = GitClient(worktree_path)
                client.repo.git.add(A=True)
                result = {"commit_hash": client.commit(params["message"])}
            else:
                raise ValueError(f"Unknown action: {action}")
        except Exception as error:
            self.audit_logger.log_event("operation_end", op_id, {"status": "failed"})
            return {"operation_id": op_id, "action": action, "status": "failed", "error": str(error)}
        self.audit_logger.log_event("operation_end", op_id, {"status": "success"})
        return {"operation_id": op_id, "action": action, "status": "success", "result": result}

    def apply_diff_or_raise(self, diff, allowed_paths, forbidden_paths, worktree_path, audit_context=None,
                            policy_provided=True, mode_id=None):
        self.audit_logger.log_event("diff_validation", details={"is_valid": True})
        with tempfile.NamedTemporaryFile("w", suffix=".patch", delete=False) as file:
            file.write(diff)
        try:
            GitClient(worktree_path).apply_patch(Path(file.name))
        finally:
            Path(file.name).unlink()
        return {"status": "applied", "diff_length": len(diff), "files_touched": [], "validation": {"is_valid": True}}

    def _bring_back_commits_from_worktree(self, worktree_path, base_commit, rollback_point, run_dir, exec_req_id,
                                          policy=None):
        try:
            tree, main = GitClient(worktree_path), GitClient(self.repo_path)
            commits = tree.get_commit_range(base_commit, tree.get_head_sha())
            folder = run_dir / "patches"
            folder.mkdir(parents=True, exist_ok=True)
            tree.repo.git.format_patch(f"{base_commit}..HEAD", o=str(folder))
            patches = sorted(folder.glob("*.patch"))
            if not policy:
                raise ValueError("Policy is required for bring-back")
            before = main.get_head_sha()
            for patch in patches:
                self.apply_diff_or_raise(patch.read_text(), policy["allowlist"]["paths"], [], self.repo_path)
            after = main.get_commit_range(before, main.get_head_sha())
            (run_dir / "audit" / "sandbox_proof.json").write_text(json.dumps(
                {"worktree_commits": commits, "main_repo_commits_after_am": after,
                 "patch_sha256": {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in patches}}))
            return len(patches), len(patches)
        except Exception as error:
            self.audit_logger.log_error(f"Failed to bring back commits: {error}")
            return 0, 0
