"""Launches a draft in a background thread of this process; nothing of the context goes along."""

import logging
import threading
from pathlib import Path

from ..task.service import TaskService
from .task_runner import TaskRunner

logger = logging.getLogger(__name__)


class TaskLauncher:
    def __init__(self, repo_path=None, policy_path=None, use_real_pipeline=False):
        self.repo_path, self.task_service, self._active_threads = repo_path or Path("."), TaskService(), {}

    def launch_task(self, task_id, actor="chat_launcher"):
        try:
            task = self.task_service.get_task(task_id)
            if task is None or task.status.upper() != "DRAFT":
                raise ValueError(f"Task {task_id} is not a draft")
            self.task_service.queue_task(task_id, actor)
            runner = TaskRunner(repo_path=self.repo_path)

            def run():
                try:
                    runner.run_task(task_id)
                finally:
                    self._active_threads.pop(task_id, None)

            thread = threading.Thread(target=run, name=f"TaskRunner-{task_id[:8]}", daemon=True)
            self._active_threads[task_id] = thread
            thread.start()
            return True
        except Exception as error:
            logger.error("Failed to launch task %s: %s", task_id, error)
            return False

    def is_task_running(self, task_id):
        thread = self._active_threads.get(task_id)
        return thread is not None and thread.is_alive()
