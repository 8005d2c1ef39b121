"""Drafts, written by the writer's thread."""

import json
import time
from contextlib import closing

from ...store import connect, get_writer
from ..time import now
from .._version_gate import VERSION
from .manager import TaskManager, new_ulid
from .models import Task


class TaskService:
    def __init__(self, db_path=None):
        self.manager = TaskManager(db_path)

    def get_task(self, task_id):
        return self.manager.get_task(task_id)

    def queue_task(self, task_id, actor, reason=""):
        def write(connection):
            connection.execute("UPDATE tasks SET status = 'queued' WHERE task_id = ?", (task_id,))

        get_writer().submit(write, timeout=10.0)

    def _draft(self, title, session_id, created_by, metadata):
        task_id, at = new_ulid(), now()
        session_id = session_id or f"auto_{task_id[:8]}_{int(time.time())}"
        metadata = {} if metadata is None else metadata
        metadata.setdefault("execution_context", {"created_method": "task_service", "created_at": at})
        task = Task(task_id=task_id, title=title, status="draft", session_id=session_id, created_at=at, updated_at=at,
                    created_by=created_by, metadata=metadata)

        def write(connection):
            connection.execute(
                "INSERT INTO tasks (task_id, title, status, session_id, created_at, updated_at, created_by, metadata)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (task_id, title, "draft", session_id, at, at, created_by, json.dumps(metadata)),
            )
            return task_id

        if VERSION >= (0, 3, 0):
            get_writer().submit(write, timeout=10.0)
        else:
            with closing(connect()) as connection, connection:
                write(connection)
        self.manager._route(task)
        return task

    if VERSION >= (0, 3, 0):

        def create_draft_task(self, title, session_id=None, project_id=None, created_by=None, metadata=None,
                              route_plan_json=None, requirements_json=None, selected_instance_id=None,
                              router_version=None):
            return self._draft(title, session_id, created_by, metadata)

    else:

        def create_draft_task(self, title, session_id=None, created_by=None, metadata=None, route_plan_json=None,
                              requirements_json=None, selected_instance_id=None, router_version=None):
            return self._draft(title, session_id, created_by, metadata)
