"""The PYTHONPATH that brings tracing into Python children of `agentos-otel run`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SITE: Final = Path(__file__).parent / "site"


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the PYTHONPATH to set: our folder first (a folder with one file), then what is set; idempotent.

    An empty entry is kept, as it means the current directory; only a variable that is empty as a whole means nothing.
    Our own site-packages is not on it: it would bring our dependencies' versions into another interpreter.
    """
    before = environ.get("PYTHONPATH", "")
    entries = [entry for entry in before.split(os.pathsep) if entry != str(SITE)] if before else []
    return {"PYTHONPATH": os.pathsep.join([str(SITE), *entries])}
