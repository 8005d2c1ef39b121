"""One append-only OTLP file per process."""

from __future__ import annotations
