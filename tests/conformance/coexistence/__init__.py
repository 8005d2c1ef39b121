"""Beside others' tracing."""
