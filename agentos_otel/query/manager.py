"""The public API on tasks: `Task`, `Session`, `TaskManager`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from agentos_otel.context.ids import new_session_id, new_span_id, new_task_id, new_trace_id
from agentos_otel.errors import NotFoundError, TransitionError
from agentos_otel.model import ENDED_STATUSES, STATUSES
from agentos_otel.query import sources
from agentos_otel.query.document import artifact_part, task_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_otel.query.workspace import Workspace

PhaseArtifacts: TypeAlias = dict[str, list[dict[str, Any]]]

TRANSITIONS: Final[dict[str, tuple[str, ...]]] = {
    "created": ("planning", "executing", "waiting", *ENDED_STATUSES),
    "planning": ("executing", "waiting", *ENDED_STATUSES),
    "executing": ("waiting", *ENDED_STATUSES),
    "waiting": ("planning", "executing", *ENDED_STATUSES),
}
"""What may follow a status; an ended task is reopened by a new attempt alone (design 3.1)."""

open_workspace: Callable[[], Workspace] | None = None
"""Set by `bootstrap`: opens the workspace that the settings name."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session: the tasks of one conversation, turn by turn."""

    session_id: str
    created_ns: int
    metadata: Mapping[str, Any]

    @classmethod
    def create(cls, session_id: str, metadata: Mapping[str, Any] | None = None) -> Session:
        """Write a session; one that is there stays as it is."""
        return TaskManager().create_session(session_id, metadata)

    @classmethod
    def get(cls, session_id: str) -> Session:
        """Return the session with that id.

        Raises:
            NotFoundError: There is none.
        """
        return TaskManager().get_session(session_id)

    def get_tasks(self) -> Sequence[Task]:
        """Return the session's tasks, oldest first."""
        return TaskManager().session_tasks(self.session_id)


@dataclass(frozen=True, slots=True)
class Task:
    """A task as its row says; times in Unix nanoseconds."""

    task_id: str
    session_id: str
    name: str
    status: str
    phase: str
    created_ns: int
    updated_ns: int
    ended_ns: int | None
    error_type: str | None
    trace_id: str | None
    commit_hash: str | None
    agent_ids: tuple[str, ...]
    metadata: Mapping[str, Any]
    nl_request_id: str | None = None
    intent_id: str | None = None
    coordinator_run_id: str | None = None
    dry_result_id: str | None = None
    execution_request_id: str | None = None

    @classmethod
    def create(cls, name: str, session_id: str | None = None, metadata: Mapping[str, Any] | None = None) -> Task:
        """Write a new task in status `created`."""
        return TaskManager().create(name, session_id, metadata)

    @classmethod
    def get(cls, identifier: str) -> Task:
        """Return the task that any id, or a prefix of 6 characters of one, leads to.

        Raises:
            NotFoundError: No task has it.
            AmbiguousError: Several tasks have it.
        """
        return TaskManager().get(identifier)

    def update(self, **changes: Any) -> Task:
        """Change `status`, `name`, `session_id` or `metadata` and return the task as it is then.

        Raises:
            TransitionError: The life cycle forbids that status.
        """
        return TaskManager().update(self.task_id, **changes)

    def get_full_trace(self) -> dict[str, Any]:
        """Return the whole run: the document of `task.schema.json`."""
        return TaskManager().full_trace(self.task_id)

    def get_phase_artifacts(self) -> PhaseArtifacts:
        """Return the artifacts by stage, each with its state now: present, missing or changed."""
        return TaskManager().phase_artifacts(self.task_id)


def _task(row: Mapping[str, Any]) -> Task:
    part = task_part(dict(row))
    part["agent_ids"] = tuple(part["agent_ids"])
    return Task(**{key: part[key] for key in Task.__dataclass_fields__})


class TaskManager:
    """Creates, reads, changes and deletes tasks; what it changes is journaled, so that the store can be rebuilt.

    Args:
        workspace: An open workspace; None opens the one that the settings name, at each call.
    """

    def __init__(self, workspace: Workspace | None = None) -> None:
        self._given = workspace

    def _with(self, call: Callable[[Workspace], Any]) -> Any:
        if self._given is not None:
            return call(self._given)
        if open_workspace is None:
            raise NotFoundError("no state directory is known: import agentos_otel, not its parts")
        workspace = open_workspace()
        try:
            workspace.refresh()
            return call(workspace)
        finally:
            workspace.close()

    def create(self, name: str, session_id: str | None = None, metadata: Mapping[str, Any] | None = None) -> Task:
        """Write a new task with its first attempt, in status `created`."""
        task_id, at = new_task_id(), time.time_ns()

        def call(workspace: Workspace) -> Task:
            common = {"task_id": task_id, "at": at, "owner_run": ""}
            task = {"op": "task", "name": name, "session_id": session_id or new_session_id(task_id)}
            ids = {"trace_id": new_trace_id().hex(), "root_span_id": new_span_id().hex()}
            attempt = {**ids, "op": "attempt", "attempt": 1, "root_name": f"task {name}"}
            workspace.do({**common, **task, "metadata": dict(metadata or {})}, {**common, **attempt})
            return _task(workspace.store.task(task_id))

        return self._with(call)  # type: ignore[no-any-return]

    def get(self, identifier: str) -> Task:
        """Return the task that an id or a prefix leads to; see `Task.get`."""
        return self._with(lambda space: _task(space.store.task(space.resolve(identifier))))  # type: ignore[no-any-return]

    def list(
        self, *, status: str = "", session_id: str = "", phase: str = "", since_ns: int = 0, count: int = 100
    ) -> list[Task]:
        """Return tasks, newest first, that match every filter given.

        Raises:
            NotFoundError: `status` is none.
        """
        if status and status not in STATUSES:
            raise NotFoundError(f"no status {status!r}: one of {', '.join(STATUSES)}")
        filters = {"status": status, "session_id": session_id, "phase": phase, "since": since_ns, "count": count}
        return self._with(lambda space: [_task(row) for row in space.store.rows("list_tasks", **filters)])  # type: ignore[no-any-return]

    def update(
        self,
        task_id: str,
        *,
        status: str | None = None,
        name: str | None = None,
        session_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Task:
        """Change a task; see `Task.update`."""

        def call(workspace: Workspace) -> Task:
            row = workspace.store.task(task_id)
            if status is not None and status != row["status"]:
                allowed = TRANSITIONS.get(row["status"], ())
                if status not in allowed:
                    can = ", ".join(allowed) or "nothing: a new attempt reopens it (run --task)"
                    raise TransitionError(
                        f"a task that is {row['status']} cannot become {status!r}; it can become {can}"
                    )
                self._set_status(workspace, row, status)
            if name is not None or session_id is not None or metadata is not None:
                workspace.do(
                    {
                        "op": "update",
                        "task_id": task_id,
                        "name": row["name"] if name is None else name,
                        "session_id": row["session_id"] if session_id is None else session_id,
                        "metadata": json.loads(row["metadata"]) if metadata is None else dict(metadata),
                    }
                )
            return _task(workspace.store.task(task_id))

        return self._with(call)  # type: ignore[no-any-return]

    @staticmethod
    def _set_status(workspace: Workspace, row: Mapping[str, Any], status: str) -> None:
        if status in ENDED_STATUSES:
            from agentos_otel.query.closing import close

            close(workspace, row["task_id"], status)
        else:
            workspace.do({"op": "state", "task_id": row["task_id"], "status": status})

    def delete(self, task_id: str) -> None:
        """Hide a task for good; its spans stay in the journals until they are pruned or erased."""
        self._with(lambda space: (space.store.task(task_id), space.do({"op": "delete", "task_id": task_id})))

    def full_trace(self, task_id: str) -> dict[str, Any]:
        """Return the whole run of a task."""
        return self._with(lambda space: sources.read(space, task_id)[0])  # type: ignore[no-any-return]

    def phase_artifacts(self, task_id: str) -> PhaseArtifacts:
        """Return the artifacts of a task by stage."""

        def call(workspace: Workspace) -> PhaseArtifacts:
            found: PhaseArtifacts = {}
            for row in workspace.store.rows("list_artifacts", task_id=workspace.resolve(task_id)):
                found.setdefault(row["stage"], []).append(artifact_part(row))
            return found

        return self._with(call)  # type: ignore[no-any-return]

    def create_session(self, session_id: str, metadata: Mapping[str, Any] | None = None) -> Session:
        """Write a session; see `Session.create`."""
        self._with(
            lambda space: space.do({"op": "session", "session_id": session_id, "metadata": dict(metadata or {})})
        )
        return self.get_session(session_id)

    def get_session(self, session_id: str) -> Session:
        """Return a session; see `Session.get`."""

        def call(workspace: Workspace) -> Session:
            rows = workspace.store.rows("get_session", session_id=session_id)
            if not rows:
                raise NotFoundError(f"no session {session_id!r}: `agentos-otel session list` shows those there are")
            return Session(session_id, rows[0]["created_ns"], json.loads(rows[0]["metadata"]))

        return self._with(call)  # type: ignore[no-any-return]

    def session_tasks(self, session_id: str) -> Sequence[Task]:
        """Return the tasks of a session, oldest first."""
        return self._with(  # type: ignore[no-any-return]
            lambda space: [_task(row) for row in space.store.rows("session_tasks", session_id=session_id)]
        )
