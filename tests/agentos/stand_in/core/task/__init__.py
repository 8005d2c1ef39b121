"""Tasks: the host's own rows."""

from .manager import TaskManager
from .models import Task, TaskContext

__all__ = ["Task", "TaskContext", "TaskManager"]
