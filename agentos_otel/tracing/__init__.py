"""Spans of our own, and the decorators that make them."""

from __future__ import annotations
