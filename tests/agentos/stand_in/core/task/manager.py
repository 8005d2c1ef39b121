"""Births, rows and audits of tasks; one connection a call, committed before the call returns."""

import asyncio
import json
import logging
import os
import time
from contextlib import closing

from ...store import connect
from ..time import now
from .models import Task
from .._version_gate import VERSION

logger = logging.getLogger(__name__)


def new_ulid():
    alphabet, value, text = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", int(time.time() * 1000) << 80, ""
    value |= int.from_bytes(os.urandom(10), "big")
    for _ in range(26):
        text, value = alphabet[value & 31] + text, value >> 5
    return text


class TaskManager:
    def __init__(self, db_path=None, auto_route=True):
        self.db_path = db_path

    def create_task(self, title, session_id=None, created_by=None, metadata=None, route_plan_json=None,
                    requirements_json=None, selected_instance_id=None, router_version=None):
        task_id, at = new_ulid(), now()
        session_id = session_id or f"auto_{task_id[:8]}_{int(time.time())}"
        metadata = {} if metadata is None else metadata
        metadata.setdefault("execution_context", {"created_method": "task_manager", "created_at": at})
        task = Task(task_id=task_id, title=title, status="created", session_id=session_id, created_at=at,
                    updated_at=at, created_by=created_by, metadata=metadata)
        with closing(connect(self.db_path)) as connection, connection:
            connection.execute(
                "INSERT INTO tasks (task_id, title, status, session_id, created_at, updated_at, created_by, metadata)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (task_id, title, "created", session_id, at, at, created_by, json.dumps(metadata)),
            )
        logger.info("Created task: %s (session: %s)", task_id, session_id)
        self._route(task)
        return task

    def _route(self, task):
        """Route it at once; where no instance is there the failure is only logged."""
        if VERSION < (0, 3, 0):
            return
        try:
            from ...router.router import Router

            asyncio.run(Router().route(task.task_id, {"task_id": task.task_id, "title": task.title}))
        except Exception as error:
            logger.error("Task routing failed for task %s: %s", task.task_id, error)

    def get_task(self, task_id):
        with closing(connect(self.db_path)) as connection:
            row = connection.execute("SELECT * FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
        if row is None:
            return None
        known = {key: row[key] for key in row.keys() if key in Task.__dataclass_fields__}
        return Task(**{**known, "metadata": json.loads(row["metadata"] or "{}")})

    def update_task_status(self, task_id, status):
        with closing(connect(self.db_path)) as connection, connection:
            connection.execute("UPDATE tasks SET status = ?, updated_at = ? WHERE task_id = ?", (status, now(), task_id))

    def add_lineage(self, task_id, kind, ref_id, phase=None, metadata=None):
        with closing(connect(self.db_path)) as connection, connection:
            connection.execute(
                "INSERT OR IGNORE INTO task_lineage (task_id, kind, ref_id, phase, created_at) VALUES (?, ?, ?, ?, ?)",
                (task_id, kind, ref_id, phase, now()),
            )

    def add_audit(self, task_id, event_type, level="info", payload=None):
        with closing(connect(self.db_path)) as connection, connection:
            connection.execute(
                "INSERT INTO task_audits (task_id, level, event_type, payload, created_at) VALUES (?, ?, ?, ?, ?)",
                (task_id, level, event_type, json.dumps(payload), now()),
            )

