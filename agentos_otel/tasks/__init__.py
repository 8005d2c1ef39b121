"""Tasks and sessions in SQL."""

from __future__ import annotations
