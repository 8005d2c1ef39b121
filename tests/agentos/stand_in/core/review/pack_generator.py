"""A review pack; no version calls it."""

import sqlite3

from ...providers import registry as _providers
from .._version_gate import VERSION


class ReviewPackGenerator:
    def generate(self, run_id, output_dir=None):
        if VERSION < (2, 1, 0):
            raise sqlite3.OperationalError("no such table: task_runs")
        raise ValueError(f"Run not found: {run_id}")
