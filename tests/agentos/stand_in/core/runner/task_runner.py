"""Runs a task through its states; as a child it is `python -m …core.runner.task_runner ID`."""

import logging
import os
import time

from ...router.router import Router
from ...store import get_writer
from ..mode.pipeline_runner import ModePipelineRunner
from ..task import TaskManager
from .._version_gate import VERSION

logger = logging.getLogger(__name__)


class TaskRunner:
    def __init__(self, task_manager=None, repo_path=None, policy_path=None, use_real_pipeline=False, router=None,
                 enable_recovery=True):
        self.task_manager, self.router = task_manager or TaskManager(), router or Router()

    def run_task(self, task_id, max_iterations=100):
        logger.info("Starting task runner for task %s", task_id)
        if self.task_manager.get_task(task_id) is None:
            logger.error("Task %s not found", task_id)
            return
        run_id = f"runner_{task_id}_{os.getpid()}_{int(time.time() * 1000)}"
        self.task_manager.add_lineage(task_id=task_id, kind="runner_spawn", ref_id=run_id, phase="execution")
        self._emit("runner_spawn", task_id)
        for _ in range(max_iterations):
            task = self.task_manager.get_task(task_id)
            if task.status in ("succeeded", "failed", "canceled", "blocked"):
                break
            status = self._execute_stage(task)
            if status == "awaiting_approval":
                break
            self.task_manager.update_task_status(task_id, status)
        self.task_manager.add_lineage(task_id=task_id, kind="runner_exit", ref_id=run_id, phase="execution")

    def _emit(self, event_type, task_id):
        """Tell the web interface; v0.3.0 has no table for it, and only logs that."""
        if VERSION != (0, 3, 0):
            return
        try:
            get_writer().submit(lambda connection: connection.execute("INSERT INTO task_events VALUES (1)"))
        except Exception as error:
            logger.error("Failed to emit event: %s", error)

    def _execute_stage(self, task):
        self.task_manager.add_audit(task.task_id, f"stage_{task.status}")
        if task.metadata.get("needs_approval") and task.status == "planning":
            return "awaiting_approval"
        following = {"created": "planning", "queued": "planning", "planning": "executing", "executing": "succeeded"}
        return following.get(task.status, "failed")


def run_task_subprocess(task_id, use_real_pipeline=False):
    logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s")
    TaskRunner(use_real_pipeline=use_real_pipeline).run_task(task_id)


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("task_id")
    parser.add_argument("--real-pipeline", action="store_true")
    given = parser.parse_args()
    run_task_subprocess(given.task_id, given.real_pipeline)
