"""The tape of a run and its folder of snapshots."""

from pathlib import Path

from .audit_logger import AuditLogger


class RunTape:
    def __init__(self, run_dir):
        self.run_tape_path = Path(run_dir) / "run_tape.jsonl"
        (Path(run_dir) / "snapshots").mkdir(parents=True, exist_ok=True)
        self.audit_logger = AuditLogger(self.run_tape_path)
