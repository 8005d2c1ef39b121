"""Where a user's maps are found: the project's files, and the packages that are installed.

| place | what it holds |
|---|---|
| `agentos-otel.toml` | a map, in the current folder or above it, up to the repository's root |
| `[tool.agentos_otel]` of `pyproject.toml` | the same, as a table |
| entry point `agentos_otel.maps` of an installed package | its value names a package that has an `agentos-otel.toml` |

Nothing is imported for it, and nothing is parsed that does not name us: every traced process pays for this.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from agentos_otel.errors import ConfigurationError
from agentos_otel.instrumentation.point_map import PointMap, load_map, parse_table

FILE: Final = "agentos-otel.toml"
GROUP: Final = "agentos_otel.maps"
TABLE: Final = "agentos_otel"


def project_maps(start: Path) -> Iterator[PointMap]:
    """Yield the maps of the project that `start` lies in; the nearest folder that has one decides.

    Raises:
        ConfigurationError: A map is wrong; one line says where.
    """
    for folder in (start, *start.parents):
        found = [*_file(folder), *_pyproject(folder)]
        yield from found
        if found or (folder / ".git").exists():
            return


def _file(folder: Path) -> Iterator[PointMap]:
    if (folder / FILE).is_file():
        yield load_map(folder / FILE)


def _pyproject(folder: Path) -> Iterator[PointMap]:
    path = folder / "pyproject.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return  # there is none
    # Looked for before it is parsed. A key may be written in other ways, but hardly ever is.
    if f"tool.{TABLE}" not in text:
        return
    try:
        table = tomllib.loads(text).get("tool", {}).get(TABLE)
    except (ValueError, AttributeError):
        return  # the file is another tool's to refuse
    if table is not None:
        yield parse_table(table, text, str(path), ("tool", TABLE))


def installed_maps(search: Sequence[str] | None = None) -> Iterator[PointMap]:
    """Yield the maps that installed packages bring.

    Args:
        search: Folders to look in; None takes `sys.path`.

    Raises:
        ConfigurationError: A map is wrong; one line says where.
    """
    folders = sys.path if search is None else search
    if not any(_names_us(folder) for folder in folders):
        return
    from importlib.metadata import distributions

    for distribution in distributions(path=list(folders)):
        for entry in distribution.entry_points:
            if entry.group == GROUP:
                yield load_map(_located(entry.value.partition(":")[0], folders, entry.name))


def _names_us(folder: str) -> bool:
    """Whether a distribution in `folder` names our group; importlib.metadata costs more than all the rest here."""
    try:
        entries = [entry.path for entry in os.scandir(folder) if entry.name.endswith((".dist-info", ".egg-info"))]
    except OSError:
        return False
    for path in entries:
        try:
            with open(os.path.join(path, "entry_points.txt"), "rb") as file:  # noqa: PTH118, PTH123
                if GROUP.encode() in file.read():
                    return True
        except OSError:
            continue
    return False


def _located(package: str, folders: Iterable[str], name: str) -> Path:
    """Return where the map of `package` lies; looked for as a file, since the import system imports its parents."""
    for folder in folders:
        path = Path(folder, *package.split("."), FILE)
        if path.is_file():
            return path
    raise ConfigurationError(f"entry point {name!r} of {GROUP}: no {FILE} in a package {package!r}")
