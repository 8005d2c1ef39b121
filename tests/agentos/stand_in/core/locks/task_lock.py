"""Leases on runs: rows of `task_runs`, which nothing writes."""

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

from ...store import database_path


@dataclass(frozen=True)
class LockToken:
    lock_id: str
    task_id: str
    holder: str
    expires_at: float


class TaskLockManager:
    def __init__(self, db_path=None):
        self.db_path = db_path or database_path()

    def acquire(self, task_id, holder, ttl_seconds=300):
        with closing(sqlite3.connect(self.db_path)) as connection, connection:
            found = connection.execute(
                "SELECT id FROM task_runs WHERE task_id = ? AND status IN ('QUEUED', 'WAITING_LOCK')", (task_id,)
            ).fetchone()
            if found is None:
                raise ValueError(f"No queued run found for task {task_id}")
            connection.execute(
                "UPDATE task_runs SET lease_holder = ?, status = 'RUNNING' WHERE id = ?", (holder, found[0])
            )
        return LockToken(f"task:{task_id}:{found[0]}", task_id, holder, time.time() + ttl_seconds)
