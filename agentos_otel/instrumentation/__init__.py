"""The map of points and the import hooks that apply it."""

from __future__ import annotations
