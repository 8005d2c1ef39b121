"""Defects of the published AgentOS versions that stop the chain, repaired in the driver's memory alone.

| repair | versions | what stops without it |
|---|---|---|
| `intent_audit` | all | `IntentBuilder.build_intent` gives `_build_audit` one argument too many: TypeError |
| `answer_schema` | all | `answers create` refuses every pack: its schema wants an id that no part of the host makes |
| `lenient_migrations` | v0.3.1 to v3.0.0 | a fresh `init_db` fails at v26 (examples taken for a migration) or v31 |
| `drop_broken_triggers` | v2.1.0, v3.0.0 | triggers on `tasks` name a column that a migration has renamed |
| `missing_column` | v0.3.0 | a draft is written with `project_id`, which its schema lacks |
| `new_session` | v2.1.0, v3.0.0 | a task without a session breaks the foreign key of its own row |
| `new_run` | all | no version writes a row of `task_runs`, which a lease is taken on |
| `missing_tools` | v0.1.0 | `apply_diff_or_raise` imports `ext.tools`, which the tag does not hold |
"""

from __future__ import annotations

import importlib
import os
import sqlite3
import sys
import types
from contextlib import suppress
from pathlib import Path
from typing import Any


def database_path(package: str) -> Path:
    """Return where the host keeps its tables."""
    importlib.import_module(f"{package}.core.mode")
    store = importlib.import_module(f"{package}.store")
    with suppress(ImportError):
        registry: Any = importlib.import_module(f"{package}.core.db.registry_db")
        for name in ("get_db_path", "_get_db_path"):
            if hasattr(registry, name):
                return Path(getattr(registry, name)())
    return Path(store.get_db_path()).absolute()


def intent_audit(package: str) -> None:
    """Let `_build_audit` take the argument that its caller gives."""
    builder: Any = importlib.import_module(f"{package}.core.intent_builder.builder").IntentBuilder
    bare = builder._build_audit
    builder._build_audit = lambda self, *arguments: bare(self, *arguments[:5])


def answer_schema(package: str) -> None:
    """Let the command that writes an answer pack take it for valid."""
    commands: Any = importlib.import_module(f"{package}.cli.answers")
    commands.validate_answer_pack = lambda *given: (True, [])


def lenient_migrations(package: str) -> None:
    """Run each statement of a migration for itself, and go on where one fails."""
    importlib.import_module(f"{package}.core.mode")
    migrator: Any = importlib.import_module(f"{package}.store.migrator").Migrator

    def execute(self: Any, connection: Any, version: int, file: Path) -> None:
        statement = ""
        for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                with suppress(sqlite3.Error, sqlite3.Warning):
                    connection.execute(statement)
                statement = ""
        if connection.in_transaction:
            connection.commit()
        seen = connection.execute("SELECT COUNT(*) FROM schema_version WHERE version LIKE ?", (f"0.{version}.%",))
        if not seen.fetchone()[0]:
            connection.execute("INSERT INTO schema_version (version) VALUES (?)", (f"0.{version}.0",))
        connection.commit()

    bare = migrator.get_available_migrations

    def available(self: Any) -> Any:
        return [(version, file) for version, file in bare(self) if "usage_examples" not in file.name]

    migrator.execute_migration, migrator.get_available_migrations = execute, available


def drop_broken_triggers(database: Path) -> None:
    """Drop the triggers on tables of tasks that the host's own statements fail on."""
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, table in rows:
        if table in ("tasks", "projects"):
            connection.execute(f'DROP TRIGGER "{name}"')
    connection.commit()
    connection.close()


def missing_column(database: Path) -> None:
    """Add the column that v0.3.0's drafts are written with and its schema lacks."""
    connection = sqlite3.connect(database)
    with suppress(sqlite3.OperationalError):
        connection.execute("ALTER TABLE tasks ADD COLUMN project_id TEXT")
    connection.commit()
    connection.close()


def new_session(database: Path) -> str:
    """Write a session into whichever tables of sessions there are."""
    session_id = f"session_{os.urandom(4).hex()}"
    connection = sqlite3.connect(database, timeout=10)
    with connection:
        for table in ("chat_sessions", "task_sessions"):
            names = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            given = {"session_id": session_id, "title": "driver", "channel": "driver", "metadata": "{}"}
            used = {key: value for key, value in given.items() if key in names}
            if used:
                marks = ", ".join("?" * len(used))
                connection.execute(f"INSERT INTO {table} ({', '.join(used)}) VALUES ({marks})", tuple(used.values()))
    connection.close()
    return session_id


def new_run(database: Path, task_id: str) -> str:
    """Write a run of a task that waits for its lease; return the task's id."""
    connection = sqlite3.connect(database, timeout=10)
    with connection:
        connection.execute(
            "INSERT INTO task_runs (task_id, project_id, execution_mode, status) VALUES (?, ?, ?, ?)",
            (task_id, "driver", "full_auto", "QUEUED"),
        )
    connection.close()
    return task_id


def missing_tools(package: str) -> None:
    """Give v0.1.0 the two classes that its executor imports; what they check, passes."""
    name = f"{package}.ext.tools"
    with suppress(ImportError):
        importlib.import_module(name)
        return

    class ToolResult:
        def __init__(self, **values: Any) -> None:
            self.__dict__.update(values)

    class Validation:
        is_valid, errors, warnings = True, (), ()

        def to_dict(self) -> dict[str, Any]:
            return {"is_valid": True}

    class DiffVerifier:
        def verify(self, *given: Any) -> Validation:
            return Validation()

    for part in (f"{package}.ext", name):
        sys.modules[part] = types.ModuleType(part)
    vars(sys.modules[name]).update(DiffVerifier=DiffVerifier, ToolResult=ToolResult)
