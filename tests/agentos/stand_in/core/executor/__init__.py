"""Importing this first is an ImportError up to v3.0.0: the executor and the modes import each other."""

from .executor_engine import ExecutorEngine

__all__ = ["ExecutorEngine"]
