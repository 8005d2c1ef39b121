"""A traced process inside the test: its own state directory, failures of ours loud, the run read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentos_otel import bootstrap, guard
from agentos_otel.query.document import document
from agentos_otel.query.workspace import Workspace
from agentos_otel.settings import Settings
from agentos_otel.tracing import runtime as runtimes


class Recorder:
    """The tasks that the test's own code has run."""

    def __init__(self, state_dir: Path) -> None:
        self.settings = Settings(state_dir, f"sqlite:///{state_dir / 'tasks.db'}")
        self.runtime = bootstrap.build_runtime(self.settings, {})

    def workspace(self) -> Workspace:
        return bootstrap.open_workspace(self.settings)

    def documents(self) -> list[dict[str, Any]]:
        """Return every task as its document, oldest first."""
        space = self.workspace()
        try:
            space.refresh()
            rows = space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=1000)
            return [document(space, row["task_id"]) for row in reversed(rows)]
        finally:
            space.close()

    def spans(self) -> list[dict[str, Any]]:
        """Return the spans of all tasks."""
        return [span for found in self.documents() for span in found["spans"]]


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    guard.raise_failures = True
    made = Recorder(tmp_path / "state")
    runtimes.install(made.runtime)
    yield made
    runtimes.install(None)
    made.runtime.journal.close({"op": "run_end", "run_id": made.runtime.run_id, "dropped": 0, "at": 0})
    if made.runtime.store is not None:
        made.runtime.store.database.close()
    guard.raise_failures = False
