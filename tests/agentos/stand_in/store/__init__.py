"""The database: relative to the current folder up to v0.3.1, then in the home."""

import os
import sqlite3
from pathlib import Path

from .._version import NAME, VERSION

SCHEMA = """
CREATE TABLE IF NOT EXISTS schema_version (version TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS tasks (task_id TEXT PRIMARY KEY, session_id TEXT, title TEXT, status TEXT DEFAULT 'created',
  created_at TEXT, updated_at TEXT, created_by TEXT, metadata TEXT, route_plan_json TEXT, requirements_json TEXT,
  selected_instance_id TEXT, router_version TEXT, spec_frozen INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS chat_sessions (session_id TEXT PRIMARY KEY, title TEXT, metadata TEXT);
CREATE TABLE IF NOT EXISTS task_lineage (id INTEGER PRIMARY KEY, task_id TEXT NOT NULL, kind TEXT NOT NULL,
  ref_id TEXT NOT NULL, phase TEXT, created_at TEXT, metadata TEXT, UNIQUE (task_id, kind, ref_id));
CREATE TABLE IF NOT EXISTS task_audits (audit_id INTEGER PRIMARY KEY, task_id TEXT NOT NULL, level TEXT,
  event_type TEXT NOT NULL, payload TEXT, created_at TEXT);
CREATE TABLE IF NOT EXISTS task_runs (id INTEGER PRIMARY KEY, task_id TEXT NOT NULL, project_id TEXT NOT NULL,
  execution_mode TEXT NOT NULL, status TEXT NOT NULL, lease_holder TEXT, lease_until TEXT);
"""


def database_path():
    if VERSION < (2, 1, 0):
        return Path("store/registry.sqlite")
    given = os.environ.get(f"{NAME.upper()}_DB_PATH")
    return Path(given) if given else Path.home() / f".{NAME}" / "store" / NAME / "db.sqlite"


def get_db_path():
    return database_path()


def init_db(auto_migrate_after_init=True):
    database_path().parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(database_path())
    connection.executescript(SCHEMA)
    connection.close()
    return database_path()


def connect(path=None):
    connection = sqlite3.connect(path or database_path(), timeout=5)
    connection.row_factory = sqlite3.Row
    return connection


_writer = None


def get_writer():
    global _writer
    if _writer is None:
        from ..core.db.writer import SQLiteWriter

        _writer = SQLiteWriter(str(database_path()))
    return _writer
