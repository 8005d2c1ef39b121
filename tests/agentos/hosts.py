"""The hosts that the tests run on: the stand-in in the form of each version, or real checkouts (`AGENTOS_SRC`)."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
VERSIONS = {
    "v0.1.0": (0, 1, 0),
    "v0.3.0": (0, 3, 0),
    "v0.3.1": (0, 3, 1),
    "v2.1.0": (2, 1, 0),
    "v3.0.0": (3, 0, 0),
    "HEAD": (3, 6, 0),
}
_LACKS = {
    (0, 1, 0): ["providers", "ext", "core/runner/launcher.py", "core/db"],
    (0, 3, 1): ["core/db/registry_db.py"],
}
"""What versions up to the key lack; what imports it cannot be imported then."""


@dataclass(frozen=True)
class Host:
    """A version: the folder to put on PYTHONPATH, the package's name, the interpreter that has what it needs."""

    version: str
    folder: Path
    package: str
    python: str
    real: bool


def package_of(version: str) -> str:
    """Return the package's name in a version."""
    return "octopusos" if VERSIONS[version] >= (3, 2, 0) else "agentos"


def stand_in(version: str, into: Path) -> Host:
    """Copy the stand-in into a folder in the form of a version."""
    package, number = package_of(version), VERSIONS[version]
    target = into / package
    shutil.copytree(HERE / "stand_in", target, ignore=shutil.ignore_patterns("__pycache__"))
    (target / "_version.py").write_text(f"VERSION = {number}\nNAME = {package!r}\n")
    for last, names in _LACKS.items():
        for name in names if number <= last else ():
            gone = target / name
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink(missing_ok=True)
    return Host(version, into, package, sys.executable, real=False)


def checkout(version: str) -> Host | None:
    """Return the real checkout of a version, or None where `AGENTOS_SRC` names no folder that has it.

    `AGENTOS_PYTHON` names an interpreter that has what AgentOS itself needs, and this package.
    """
    source = os.environ.get("AGENTOS_SRC")
    folder = Path(source) / version if source else None
    if folder is None or not (folder / package_of(version)).is_dir():
        return None
    python = os.environ.get("AGENTOS_PYTHON", sys.executable)
    return Host(version, folder, package_of(version), python, real=True)
