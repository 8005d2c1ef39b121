"""An executor that in no version returns: it releases its lock with the wrong arguments."""


class AsyncExecutorEngine:
    def __init__(self, repo_path, output_dir):
        self.repo_path = repo_path

    async def execute(self, execution_request, sandbox_policy, use_dag=True):
        raise TypeError("release() takes 1 positional argument but 2 were given")
