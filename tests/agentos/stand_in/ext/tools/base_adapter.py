"""What every adapter has; `run` is abstract here."""

import uuid
from abc import ABC, abstractmethod

from .types import ToolResult


class BaseToolAdapter(ABC):
    def __init__(self, tool_name):
        self.tool_name = tool_name

    @abstractmethod
    def run(self, task, allow_mock=False):
        """Run the tool."""

    def result(self, status, **values):
        return ToolResult(self.tool_name, status, "", [], 0, f"run_{uuid.uuid4().hex[:12]}", **values)
