"""Loads a map that is shipped with the package when a package of its host is first looked for, and not before.

Most processes import none of these hosts. Parsing the maps and loading wrapt for them would cost each 70 ms.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, Final

from agentos_otel import guard

MAPS: Final = Path(__file__).parent / "maps"
_PACKAGES: Final = re.compile(r"^packages = \[(.*)\]$", re.MULTILINE)


class ShippedMaps:
    """A finder that finds nothing: it only hears which packages are looked for.

    Args:
        load: Called once with the file of a map whose host is about to be imported, or is imported already.
    """

    def __init__(self, load: Callable[[Path], object], folder: Path = MAPS) -> None:
        self._load = load
        self._files: dict[str, Path] = {}
        for path in sorted(folder.glob("*.toml")):
            declared = _PACKAGES.search(path.read_text(encoding="utf-8"))
            for package in re.findall(r'"([^"]+)"', declared[1] if declared else ""):
                self._files[package] = path

    def watch(self) -> None:
        """Load the maps of hosts that are here, and be asked for what is imported from now on."""
        for package in [package for package in self._files if package in sys.modules]:
            self._come(package)
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Load the map of the host `name`, if it is one; the other finders find the module."""
        if name in self._files:
            self._come(name)
        return None

    def _come(self, package: str) -> None:
        path = self._files.pop(package, None)
        if path is None:
            return
        self._files = {key: file for key, file in self._files.items() if file != path}
        # Inside the host's import: nothing of ours may make it fail.
        guard.guarded(f"loading the map {path.name}", self._load, path)
