"""Traceloop (OpenLLMetry), for `calls.py` in a venv of its own."""

from __future__ import annotations

import os

os.environ["TRACELOOP_TELEMETRY"] = "false"
os.environ["TRACELOOP_TRACE_CONTENT"] = "false"

from reference import Null
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import task, workflow

REQUIRES = ["traceloop-sdk", "httpx"]  # httpx is imported and not declared

Traceloop.init(app_name="bench", exporter=Null(), instruments=set())
Traceloop.set_association_properties({"session_id": "sess-0123456789", "task_id": "task-0123456789"})

root = workflow(name="pipeline")
child = child_async = child_async_generator = task(name="child")
