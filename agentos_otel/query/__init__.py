"""A task and its whole run, as one document."""

from __future__ import annotations
