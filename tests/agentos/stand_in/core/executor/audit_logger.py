"""The run tape: one line of JSON an event."""

import json
from pathlib import Path

from ..time import now


class AuditLogger:
    def __init__(self, run_tape_path):
        self.run_tape_path = Path(run_tape_path)
        self.run_tape_path.parent.mkdir(parents=True, exist_ok=True)
        self.event_counter = 0

    def log_event(self, event_type, operation_id=None, details=None, stdout_summary=None, stderr_summary=None):
        self.event_counter += 1
        event = {"event_id": f"event_{self.event_counter:06d}", "timestamp": now(), "event_type": event_type}
        event.update({key: value for key, value in (("operation_id", operation_id), ("details", details)) if value})
        with self.run_tape_path.open("a") as file:
            file.write(json.dumps(event) + "\n")

    def log_error(self, error_message, operation_id=None):
        self.log_event("error", operation_id, {"error": error_message})
