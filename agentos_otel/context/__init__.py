"""Current task and span, and how they cross a process boundary."""

from __future__ import annotations
