"""A task as a value; the fields grew over the versions."""

from dataclasses import dataclass, field, make_dataclass
from typing import Any, Optional

from .._version_gate import VERSION

_FIELDS = [("task_id", str), ("title", str), ("status", str, field(default="created")),
           ("session_id", Optional[str], None)]
if VERSION >= (0, 3, 0):
    _FIELDS += [("project_id", Optional[str], None)]
_FIELDS += [("created_at", Optional[str], None), ("updated_at", Optional[str], None),
            ("created_by", Optional[str], None), ("metadata", dict, field(default_factory=dict))]
if VERSION >= (0, 3, 0):
    _FIELDS += [("exit_reason", Optional[str], None)]
_FIELDS += [("route_plan_json", Optional[str], None), ("requirements_json", Optional[str], None),
            ("selected_instance_id", Optional[str], None), ("router_version", Optional[str], None)]
if VERSION >= (0, 3, 1):
    _FIELDS += [("repo_id", Optional[str], None), ("workdir", Optional[str], None), ("spec_frozen", int, 0)]

Task = make_dataclass("Task", _FIELDS)
Task.__module__ = __name__


@dataclass
class TaskContext:
    task_id: str
    session_id: Optional[str] = None
