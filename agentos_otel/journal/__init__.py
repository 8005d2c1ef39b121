"""One append-only OTLP file per process: its records, its writer, its reader."""

from __future__ import annotations
