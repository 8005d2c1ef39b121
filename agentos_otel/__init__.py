"""OpenTelemetry tracing for task-driven agent pipelines: from a task id, a commit or any id to the whole run.

Everything is looked up at first use (PEP 562): importing the package patches nothing, sets nothing and opens nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentos_otel.bootstrap import configure, shutdown
    from agentos_otel.correlation.logs import JsonFormatter, TextFormatter
    from agentos_otel.errors import AgentosOtelError
    from agentos_otel.query.manager import Session, Task, TaskManager
    from agentos_otel.tracing.carriers import extract, inject
    from agentos_otel.tracing.current_task import CurrentTask, current_task, session
    from agentos_otel.tracing.decorators import agent, stage, task, tool

__version__ = "0.1.0"

_HOMES = {
    "agent": "tracing.decorators",
    "stage": "tracing.decorators",
    "task": "tracing.decorators",
    "tool": "tracing.decorators",
    "CurrentTask": "tracing.current_task",
    "current_task": "tracing.current_task",
    "session": "tracing.current_task",
    "extract": "tracing.carriers",
    "inject": "tracing.carriers",
    "configure": "bootstrap",
    "shutdown": "bootstrap",
    "Session": "query.manager",
    "Task": "query.manager",
    "TaskManager": "query.manager",
    "JsonFormatter": "correlation.logs",
    "TextFormatter": "correlation.logs",
    "AgentosOtelError": "errors",
}

__all__ = [
    "AgentosOtelError",
    "CurrentTask",
    "JsonFormatter",
    "Session",
    "Task",
    "TaskManager",
    "TextFormatter",
    "agent",
    "configure",
    "current_task",
    "extract",
    "inject",
    "session",
    "shutdown",
    "stage",
    "task",
    "tool",
]


def _default_runtime() -> Any:
    return import_module("agentos_otel.bootstrap").default()


def _open_workspace() -> Any:
    return import_module("agentos_otel.bootstrap").open_workspace()


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Lower layers know the composition root by these two alone: they may not import it.
    if home == "query.manager":
        vars(import_module("agentos_otel.query.manager"))["open_workspace"] = _open_workspace
    elif home.startswith("tracing"):
        vars(import_module("agentos_otel.tracing.runtime"))["factory"] = _default_runtime
    value = getattr(import_module(f"agentos_otel.{home}"), name)
    globals()[name] = value
    return value
