"""Runs the host as a process of its own: a global provider can be set once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.adapters import Adapter

Host = Callable[..., dict[str, Any]]


@pytest.fixture
def host(product: Adapter, tmp_path: Path) -> Host:
    """Return what the host of `host.py` saw, and what it printed beside."""

    def run(how: str, **variables: str) -> dict[str, Any]:
        name = type(product).__module__.rpartition(".")[2]
        environ = {**os.environ, "AGENTOS_OTEL_STATE_DIR": str(tmp_path / "state"), **variables}
        done = subprocess.run(
            [sys.executable, "-m", "tests.conformance.coexistence.host", name, how],
            capture_output=True, text=True, check=False, env=environ, timeout=60,
        )  # fmt: skip
        lines = [line for line in done.stdout.splitlines() if line.startswith("HOST ")]
        assert done.returncode == 0, done.stderr[-300:]
        found: dict[str, Any] = json.loads(lines[0].removeprefix("HOST "))
        return {**found, "printed": done.stdout.count("\n") - 1, "stderr": done.stderr}

    return run
