"""Runs the steps of the driver on a host, each as a process of its own, bare or traced."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import agentos_otel
from agentos_otel import bootstrap
from agentos_otel.query.document import document
from agentos_otel.query.workspace import Workspace
from agentos_otel.settings import Settings
from tests.agentos.fake_model import put_claude
from tests.agentos.hosts import HERE, Host

STEPS = ("init", "intent", "coordinate", "answers", "dry_run", "execute", "denied", "pipeline", "runner_thread",
         "runner_child", "commands", "agents", "schedule", "rest")  # fmt: skip
TRACED = ("-m", "agentos_otel.auto")


class Chain:
    """A host, a folder for its files, and the environment of its processes.

    git's own configuration has another committer than GitPython finds: so a patch that is applied to main never has
    the sha that it had in the worktree, however fast it goes.
    """

    def __init__(self, host: Host, folder: Path, model_url: str) -> None:
        self.host = host
        self.folder = folder
        self.state = folder / "state"
        put_claude(folder / "bin")
        (folder / "home").mkdir()
        (folder / "tmp").mkdir()
        # An interpreter of the host's may have another version of this package installed.
        (folder / "ours").mkdir()
        (folder / "ours" / "agentos_otel").symlink_to(Path(agentos_otel.__file__).parent)
        (folder / "gitconfig").write_text("[user]\n name = Integrator\n email = integrator@example.org\n")
        self.environ = {
            "PATH": os.pathsep.join((str(folder / "bin"), os.environ["PATH"])),
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": os.pathsep.join((str(host.folder), str(folder / "ours"))),
            "PYTHONWARNINGS": "ignore",
            "PYTHONHASHSEED": "0",  # AgentOS writes sets of texts in the order that they have
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": model_url,
            "ANTHROPIC_BASE_URL": model_url,
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "AGENTOS_OTEL_STATE_DIR": str(self.state),
        }

    def step(self, name: str, *before: str, script: str = "driver.py", **environ: str) -> None:
        """Run one step; `before` stands between the interpreter and the script (`-m agentos_otel.auto`)."""
        self.run([self.host.python, *before, str(HERE / script), name, str(self.folder)], **environ)

    def traced(self, *names: str, **environ: str) -> None:
        """Run steps with tracing activated in each process, and in the children of the runner."""
        for name in names:
            if name == "runner_child":
                driver = [self.host.python, str(HERE / "driver.py"), name, str(self.folder)]
                self.run([self.host.python, "-m", "agentos_otel", "run", "--quiet", "--", *driver], **environ)
            else:
                self.step(name, *TRACED, **environ)

    def run(self, command: Sequence[str], **environ: str) -> str:
        """Run a command in the folder; its output, or an error with what it said."""
        both = {**self.environ, **environ}
        done = subprocess.run(
            command, cwd=self.folder, env=both, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode != 0:
            said = f"{done.stdout[-500:]}\n{done.stderr[-3000:]}"
            raise AssertionError(f"{command[-2:]} exited {done.returncode}:\n{said}")
        return done.stdout

    def workspace(self) -> Workspace:
        """Open what the chain left, brought up to date; in this process, since a command takes a second to start."""
        space = bootstrap.open_workspace(Settings(self.state, f"sqlite:///{self.state / 'tasks.db'}"))
        space.refresh()
        return space

    def task_of(self, identifier: str) -> str:
        """Return the one task that an id leads to."""
        with closing(self.workspace()) as space:
            found = {hit["task_id"] for hit in space.find(identifier)}
        assert len(found) == 1, f"{identifier} leads to {sorted(found)}"
        return str(found.pop())

    def document(self, identifier: str) -> dict[str, Any]:
        """Return the document of the one task that an id leads to."""
        task_id = self.task_of(identifier)
        with closing(self.workspace()) as space:
            return document(space, task_id)

    def documents(self) -> list[dict[str, Any]]:
        """Return the documents of all tasks."""
        with closing(self.workspace()) as space:
            rows = space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=1000)
            return [document(space, row["task_id"]) for row in rows]

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the steps that this version has: the first tag holds neither runner nor launcher."""
        missing = {"v0.1.0": ("runner_thread", "runner_child")}
        return tuple(step for step in STEPS if step not in missing.get(self.host.version, ()))
