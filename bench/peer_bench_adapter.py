"""agentos-otel as a product of a harness that knows VENV, setup(mode, url), root, child, child_payload and flush."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

VENV = "agentos-otel"


def setup(mode: str, url: str) -> None:
    """Set the mode: null (the journal), otlp (and a sink at `url`), off, sampled (out)."""
    os.environ["AGENTOS_OTEL_STATE_DIR"] = tempfile.mkdtemp()
    if mode == "otlp":
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
    if mode == "off":
        os.environ["AGENTOS_OTEL_DISABLED"] = "true"
    if mode == "sampled":
        os.environ["OTEL_TRACES_SAMPLER"] = "always_off"


def root(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a pipeline."""
    from agentos_otel import task

    return task("pipeline", session="session")(fn)


def child(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap one call of it."""
    from agentos_otel import tool

    return tool("child")(fn)


def child_payload(fn: Callable[..., Any], on: bool) -> Callable[..., Any]:
    """Wrap one call whose arguments and result are kept, if `on`."""
    from agentos_otel import tool

    return tool("child", capture=on)(fn)


def flush() -> None:
    """Do nothing: what a call leaves is in the journal when it returns."""
