"""Coding agents outside the host."""

from .types import ToolResult, ToolTask

__all__ = ["ToolResult", "ToolTask"]
