"""The PYTHONPATH that brings tracing into Python children of `agentos-otel run`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SITE: Final = Path(__file__).parent / "site"


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the PYTHONPATH to set: our folder first (a folder with one file), then what is set."""
    entries = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return {"PYTHONPATH": os.pathsep.join([str(SITE), *(entry for entry in entries if entry != str(SITE))])}
