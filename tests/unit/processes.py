"""A host whose processes are runtimes of this one; they die by letting go of their journal's lock."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agentos_otel import bootstrap
from agentos_otel.context.resource import host_name
from agentos_otel.query.document import document
from agentos_otel.query.workspace import Workspace
from agentos_otel.settings import Settings
from agentos_otel.store import reaper
from agentos_otel.tracing import carriers
from agentos_otel.tracing import runtime as runtimes

T = TypeVar("T")


class Process:
    """One traced process: a run with a context of its own.

    Args:
        settings: Its settings.
        carrier: What it was given of a task, as `inject` makes it; none begins outside any task.
    """

    def __init__(self, settings: Settings, carrier: dict[str, str] | None = None) -> None:
        self.runtime = bootstrap.build_runtime(settings, {})
        self._context = contextvars.Context()
        self._carried: AbstractContextManager[None] = carriers.extract(carrier) if carrier else nullcontext()
        self.do(self._carried.__enter__)

    def do(self, call: Callable[..., T], *arguments: Any) -> T:
        """Do something in this process."""
        runtimes.install(self.runtime)
        return self._context.run(call, *arguments)

    def fork_context(self) -> contextvars.Context:
        """Return what a thread sees that is started now with the context of this one."""
        return self._context.copy()

    def carrier(self) -> dict[str, str]:
        """Return what a child gets that is launched now."""
        return dict(self.do(carriers.inject, {}))

    def kill(self) -> Path:
        """Kill it; returns its journal."""
        self.runtime.journal.close(None)
        self._leave_context()
        return self.runtime.journal.path

    def _leave_context(self) -> None:
        """Leave what was carried here; the garbage collector would do it in another context."""
        self._context.run(self._carried.__exit__, None, None, None)

    def exit(self) -> Path:
        """End it as the exit of its interpreter does; returns its journal."""
        runtimes.install(self.runtime)
        bootstrap.shutdown()
        self._leave_context()
        return self.runtime.journal.path


class Host:
    """A state directory and who looks into it."""

    def __init__(self, state_dir: Path, database_url: str = "", idle_days: float = 14) -> None:
        database_url = database_url or f"sqlite:///{state_dir / 'tasks.db'}"
        self.settings = Settings(state_dir, database_url, idle_days=idle_days)
        self.live = state_dir / "journal" / "live" / host_name()

    def process(self, carrier: dict[str, str] | None = None) -> Process:
        return Process(self.settings, carrier)

    def workspace(self) -> Workspace:
        return bootstrap.open_workspace(self.settings)

    def look(self) -> list[dict[str, Any]]:
        """Look as any command does; returns every task as its document, oldest first."""
        space = self.workspace()
        try:
            space.refresh()
            rows = space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=1000)
            return [document(space, row["task_id"]) for row in reversed(rows)]
        finally:
            space.close()

    def reap(self) -> int:
        """Reap and nothing else; returns how many journals were written to."""
        space = self.workspace()
        try:
            return reaper.reap(space.journal_dir, space.host, space.store)
        finally:
            space.close()

    def ended(self) -> list[str]:
        """Return the ids of the ended spans in all journals, each as often as it stands there."""
        found = []
        for path in self.settings.journal_dir.rglob("*.otlp"):
            if path.is_file() and not path.is_symlink():
                for resource in TracesData.FromString(path.read_bytes()).resource_spans:
                    found += [span.span_id.hex() for scope in resource.scope_spans for span in scope.spans]
        return found
