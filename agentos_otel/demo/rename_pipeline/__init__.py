"""A small pipeline that renames an identifier in a git repository of Python files and ends in a commit.

It stands for a host that was written before anybody thought of tracing: plain standard library, separate processes
that hand over JSON files, ids of its own.
"""

from __future__ import annotations
