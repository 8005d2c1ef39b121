"""The same, from a shell."""

from __future__ import annotations
