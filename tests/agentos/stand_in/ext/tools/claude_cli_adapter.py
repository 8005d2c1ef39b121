"""Claude as a command, in the repository; no change is a failure."""

import subprocess

from .base_adapter import BaseToolAdapter


class ClaudeCliAdapter(BaseToolAdapter):
    def __init__(self):
        super().__init__("claude_cli")

    def run(self, task, allow_mock=False):
        command = ["claude", "--print", "--max-budget-usd", "0.10", task.instruction]
        done = subprocess.run(command, cwd=task.repo_path, capture_output=True, text=True)
        return self.result("failed", stdout=done.stdout, error_message="no diff")
