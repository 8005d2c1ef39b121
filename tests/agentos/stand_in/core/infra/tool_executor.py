"""Commands of tools."""

import subprocess


class ToolExecutor:
    @staticmethod
    def execute_command(command, cwd=None, timeout=None, capture_output=True):
        done = subprocess.run(command, cwd=cwd, timeout=timeout, capture_output=capture_output, text=True)
        return done.returncode, done.stdout, done.stderr
