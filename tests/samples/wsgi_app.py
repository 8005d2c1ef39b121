"""A web application whose requests are tasks; its first task runs where it is imported, before the server forks."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterable
from typing import Any

import agentos_otel.auto  # noqa: F401 - joins logs
from agentos_otel import current_task, stage, task, tool

log = logging.getLogger("app")
log.setLevel(logging.INFO)


@tool
def read() -> None:
    log.info("read")


@task("request")
def handle(path: str) -> str:
    with stage("execution"):
        read()
        if path == "/die":
            os.kill(os.getpid(), signal.SIGKILL)
    current = current_task()
    return current.task_id if current else ""


with task("import"):
    read()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = handle(environ["PATH_INFO"]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
