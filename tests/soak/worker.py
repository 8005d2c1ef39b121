"""A traced program under load: `python worker.py LEDGER PAUSE`; notes in LEDGER each span whose end was reached.

A line is written after the end of its span: what it names must be kept, whatever happens to the program afterwards.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from pathlib import Path

from opentelemetry import trace

import agentos_otel.auto  # noqa: F401 - log records too
from agentos_otel import stage, task, tool

ledger = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
pause = float(sys.argv[2])


def note(line: str) -> None:
    os.write(ledger, f"{line}\n".encode())


def current() -> str:
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x} {context.span_id:016x}"


@tool
def work() -> str:
    sum(range(2000))
    return current()


@stage("execution")
def execute() -> str:
    for _ in range(3):
        note(f"span {work()}")
    logging.getLogger("soak").warning("executed")
    return current()


@task("soak")
def run() -> str:
    note(f"span {execute()}")
    return current()


def loop() -> None:
    while True:
        note(f"span {run()}")
        time.sleep(pause)


def resident() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    logging.getLogger().addHandler(logging.NullHandler())
    for _ in range(4):
        threading.Thread(target=loop, daemon=True).start()
    while True:
        time.sleep(1)
        note(f"memory {resident():.1f}")
