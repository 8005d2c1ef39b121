"""What a log line costs inside a task, as a ratio to the plain line; prints one JSON object."""

from __future__ import annotations

import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable

from agentos_otel import configure, task
from agentos_otel.correlation import log_journal, logs

LINES = 500
ROUNDS = 31
PLAIN = "%(asctime)s %(levelname)s [%(name)s] - %(message)s"
IDS = f"{PLAIN} %(trace_id)s %(span_id)s %(task_id)s"


def logger(name: str, line: str) -> logging.Logger:
    """Return a logger that formats its lines and throws them away."""
    found = logging.getLogger(name)
    found.propagate = False
    found.setLevel(logging.INFO)
    handler = logging.StreamHandler(open(os.devnull, "w"))  # noqa: SIM115, PTH123 - for the process's life
    handler.setFormatter(logging.Formatter(line))
    found.addHandler(handler)
    return found


def batch(found: logging.Logger) -> float:
    """Return the microseconds of a line."""
    began = time.thread_time()
    for _ in range(LINES):
        found.info("step %s done in %d ms", "plan", 12)
    return (time.thread_time() - began) / LINES * 1e6


def main() -> None:
    """Measure a line with ids, and one that is journaled too, against the plain line."""
    plain, with_ids = logger("plain", PLAIN), logger("ids", IDS)
    with tempfile.TemporaryDirectory() as folder:
        configure(state_dir=folder)
        found: dict[str, dict[str, float]] = {}

        def compare(name: str, install: Callable[[], None]) -> None:
            pairs = []
            for _ in range(ROUNDS):
                logs.uninstall()
                theirs = batch(plain)
                install()
                pairs.append((batch(with_ids), theirs))
            mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
            ratio = statistics.median(a / b for a, b in pairs)
            found[name] = {"us": round(mine, 2), "reference_us": round(theirs, 2), "ratio": round(ratio, 3)}

        with task("bench"):
            compare("log line with ids", lambda: logs.install(log_journal.current, None))
            compare("… also journaled", lambda: logs.install(log_journal.current, log_journal.keep))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
