"""git by GitPython: commits without the git program, am by it."""

from pathlib import Path

from git import Repo


class GitClient:
    def __init__(self, repo_path):
        self.repo_path, self.repo = Path(repo_path), Repo(str(repo_path))

    def commit(self, message):
        return self.repo.index.commit(message).hexsha

    def get_head_sha(self):
        return self.repo.head.commit.hexsha

    def get_commit_range(self, base, head):
        found = self.repo.git.rev_list(f"{base}..{head}", reverse=True)
        return found.split("\n") if found.strip() else []

    def apply_patch(self, patch_file):
        self.repo.git.am(str(patch_file))
