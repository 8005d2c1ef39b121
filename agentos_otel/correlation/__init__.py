"""What a run leaves elsewhere: commits, logs, the environment of children."""

from __future__ import annotations
