"""An executor that in no version returns: it releases its lock with the wrong arguments."""

from pathlib import Path

from .run_tape import RunTape


class AsyncExecutorEngine:
    def __init__(self, repo_path, output_dir):
        self.output_dir = Path(output_dir)

    async def execute(self, execution_request, sandbox_policy, use_dag=True):
        tape = RunTape(self.output_dir / execution_request["execution_request_id"] / "audit").audit_logger
        tape.log_event("execution_start")
        tape.log_error("not a repository")
        raise TypeError("release() takes 1 positional argument but 2 were given")
