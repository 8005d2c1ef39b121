"""A state directory with a shell that uses it, and its tasks as Jaeger has them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from agentos_otel import bootstrap, settings
from agentos_otel.query.workspace import Workspace
from tests.integration.backends import eventually


class Home:
    """A state directory, and a shell that uses it."""

    def __init__(self, folder: Path, jaeger_url: str, **variables: str) -> None:
        self.state_dir = folder / "state"
        self.folder = folder
        self.environ = {
            **os.environ,
            "AGENTOS_OTEL_STATE_DIR": str(self.state_dir),
            "AGENTOS_OTEL_JAEGER_URL": jaeger_url,
            "OTEL_SERVICE_NAME": "pipeline",
            **variables,
        }

    def run(self, code: str, *arguments: str) -> None:
        program = self.folder / "program.py"
        program.write_text(code)
        subprocess.run([sys.executable, str(program), *arguments], env=self.environ, cwd=self.folder, check=True)

    def shell(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "agentos_otel", *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False, cwd=self.folder)

    def show(self, identifier: str, *options: str) -> dict[str, Any]:
        done = self.shell("task", "show", identifier, "--json", *options)
        assert done.returncode == 0, done.stderr
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown

    def workspace(self) -> Workspace:
        return bootstrap.open_workspace(settings.read(self.environ))


def in_jaeger(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return spans as Jaeger 2.13 keeps them: a list as its JSON text, all else as it is."""

    def kept(value: Any) -> Any:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False) if isinstance(value, list) else value

    return [{**span, "attributes": {key: kept(value) for key, value in span["attributes"].items()}} for span in spans]


def arrived(home: Home, identifier: str, count: int) -> dict[str, Any]:
    """Return the document from Jaeger, once it has that many spans."""

    def read() -> dict[str, Any] | None:
        done = home.shell("task", "show", identifier, "--json", "--from", "jaeger")
        found: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
        return found if found and len(found["spans"]) >= count else None

    found = eventually(read)
    assert found
    read_document: dict[str, Any] = found
    return read_document
