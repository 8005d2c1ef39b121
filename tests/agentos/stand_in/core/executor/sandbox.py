"""A git worktree for one run, on a branch that is never removed."""

import shutil
import tempfile
from pathlib import Path

from ..infra.git_client import GitClient


class Sandbox:
    def __init__(self, repo_path, base_worktree_dir=None):
        self.base = base_worktree_dir or Path(tempfile.gettempdir()) / "agentos_worktrees"
        self.base.mkdir(parents=True, exist_ok=True)
        self.git_client, self.worktree_path = GitClient(repo_path), None

    def create_worktree(self, run_id, branch_name=None):
        self.worktree_path = self.base / f"worktree_{run_id}"
        self.git_client.repo.git.worktree("add", str(self.worktree_path))
        return self.worktree_path

    def remove_worktree(self):
        if self.worktree_path is not None:
            self.git_client.repo.git.worktree("remove", "--force", str(self.worktree_path))
            shutil.rmtree(self.worktree_path, ignore_errors=True)
            self.worktree_path = None
