"""Reading journals: index and reaper."""

from __future__ import annotations
