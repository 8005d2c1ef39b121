"""The maps of points that the hosts of this process get: found, applied, and what they missed left for `doctor`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_otel.tracing import runtime as runtimes

if TYPE_CHECKING:
    from agentos_otel.instrumentation.point_map import PointMap
    from agentos_otel.instrumentation.shipped import ShippedMaps
    from agentos_otel.model import HostTasks
    from agentos_otel.settings import Settings

POINTS = "points"
"""Folder under the state directory: which points the last process of each host could not wrap."""

_shipped: ShippedMaps | None = None
_host_tables: list[HostTasks] = []


def apply_maps(settings: Settings) -> None:
    """Register the maps that `settings` name, those of the project and of installed packages, then the shipped ones.

    The first that names a point decides on it.

    Raises:
        ConfigurationError: A map is wrong.
    """
    global _shipped  # noqa: PLW0603 - one watcher a process
    if not settings.instrumented:
        return
    for point_map in maps_of(settings):
        _apply_map(settings, point_map)
    if _shipped is None:
        from agentos_otel.instrumentation.point_map import load_map
        from agentos_otel.instrumentation.shipped import ShippedMaps

        _shipped = ShippedMaps(lambda path: _apply_map(settings, load_map(path)))
        _shipped.watch()


def maps_of(settings: Settings) -> list[PointMap]:
    """Return the user's maps: those that are named, those of the project, those that installed packages bring.

    Raises:
        ConfigurationError: A map is wrong.
    """
    from agentos_otel.instrumentation import discovery
    from agentos_otel.instrumentation.point_map import load_map

    named = [load_map(path) for path in settings.maps]
    return [*named, *discovery.project_maps(Path.cwd()), *discovery.installed_maps()]


def with_project_maps(settings: Settings) -> Settings:
    """Return settings that name the project's maps too: a child may start in another folder, and not find them.

    Raises:
        ConfigurationError: A map is wrong.
    """
    from agentos_otel.instrumentation import discovery

    project = [Path(found.source) for found in discovery.project_maps(Path.cwd())]
    return settings.with_changes(maps=[*settings.maps, *(path for path in project if path not in settings.maps)])


def _apply_map(settings: Settings, point_map: PointMap) -> None:
    from agentos_otel.instrumentation import imports
    from agentos_otel.tracing.wrappers import wrap

    imports.activate([point_map], wrap)
    if point_map.host_tasks is not None:
        from agentos_otel.correlation.host_tables import HostTables, install

        _host_tables.append(point_map.host_tasks)
        install(HostTables(tuple(_host_tables), _known_traces, write=settings.host_tables))


def _known_traces() -> list[tuple[str, str]]:
    """Return what our store knows as (host task id, trace id)."""
    runtime = runtimes.installed()
    store = runtime.store if runtime is not None else None
    if runtime is None or store is None:
        return []
    rows = runtime.sql(lambda wait: store.rows("host_traces")) or []
    return [(row["host_id"], row["trace_id"]) for row in rows]


def note_points(state_dir: Path) -> None:
    """Leave for `doctor` which points of this process's hosts were missing, or wrapped too late for some callers."""
    imports = sys.modules.get("agentos_otel.instrumentation.imports")
    if imports is None:
        return
    by_package: dict[str, dict[str, str]] = {}
    for target, state in imports.report().items():
        if state in ("missing", "late"):
            by_package.setdefault(target.partition(".")[0].partition(":")[0], {})[target] = state
    for package, found in by_package.items():
        path = state_dir / POINTS / f"{package}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1), encoding="utf-8")


def points_seen(state_dir: Path) -> dict[str, str]:
    """Return the points that the last process of each host missed or wrapped late: target and state."""
    found: dict[str, str] = {}
    for path in sorted((state_dir / POINTS).glob("*.json")):
        try:
            found.update(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    return found
