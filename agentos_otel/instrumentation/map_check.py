"""Resolves a map against the host that is installed: what it finds, what it misses, which paths lead nowhere.

It imports the host, which activation never does: it is for the person who writes the map.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import typing
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from agentos_otel.instrumentation.patching import locate
from agentos_otel.instrumentation.point_map import MappedPoint, PointMap, places

_KINDS: Final = (
    ("async generator", inspect.isasyncgenfunction),
    ("generator", inspect.isgeneratorfunction),
    ("async", inspect.iscoroutinefunction),
)


@dataclass(slots=True)
class Finding:
    """What became of one point; `problems` are for the map's author to mend, each one line."""

    point: MappedPoint
    state: str
    problems: list[str] = field(default_factory=list)

    @property
    def target(self) -> str:
        """Module and qualified name."""
        return f"{self.point.module}:{self.point.qualname}"


def check(point_map: PointMap) -> list[Finding]:
    """Return a finding for each point of the packages that are installed (of all, where none is)."""
    present = {package: _installed(package) for package in {_package(point) for point in point_map.points}}
    wanted = [point for point in point_map.points if present[_package(point)] or not any(present.values())]
    modules = dict.fromkeys(point.module for point in wanted)
    for _ in range(2):  # modules that import each other in a circle may let themselves in by another door
        for module in modules:
            with suppress(Exception):
                importlib.import_module(module)
    return [_finding(point) for point in wanted]


def cycles(point_map: PointMap) -> list[str]:
    """Return one line for each ring of stages that each join only by an id that another of the ring produces."""
    rows = {point.line: point for point in point_map.points}  # package alternatives are one row
    joins = {line: {item.kind for item in row.point.ids if item.use == "joins"} for line, row in rows.items()}
    makes = {line: {item.kind for item in row.point.ids if item.use == "produces"} for line, row in rows.items()}
    edges = {line: {other for other in rows if joins[line] & makes[other]} for line in rows}
    found, seen = [], set()
    for start in rows:
        ring = _reach(edges, start) & {line for line in rows if start in _reach(edges, line)}
        closed = all(edges[line] and edges[line] <= ring for line in ring)
        if len(ring) > 1 and closed and frozenset(ring) not in seen:
            seen.add(frozenset(ring))
            names = " and ".join(f"{rows[line].point.name!r} (line {line})" for line in sorted(ring))
            found.append(f"cycle: {names} each join only by ids that another of them produces: let one begin the task")
    return found


def _reach(edges: dict[int, set[int]], start: int) -> set[int]:
    seen: set[int] = set()
    stack = [start]
    while stack:
        for following in edges[stack.pop()] - seen:
            seen.add(following)
            stack.append(following)
    return seen


def _package(point: MappedPoint) -> str:
    return point.module.partition(".")[0]


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _finding(point: MappedPoint) -> Finding:
    try:
        module = importlib.import_module(point.module)
    except Exception as error:  # noqa: BLE001 - whatever the host's import does
        return Finding(point, "missing", [f"{point.module} cannot be imported: {type(error).__name__}: {error}"])
    fn = locate(module, point.qualname)
    if fn is None:
        return Finding(point, "missing", [f"{point.module} has no function or method {point.qualname}"])
    kind = next((name for name, test in _KINDS if test(fn)), "sync")
    return Finding(point, kind, list(_problems(point, fn)))


def _problems(point: MappedPoint, fn: Any) -> Iterator[str]:
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):
        return
    takes_any = any(item.kind is item.VAR_KEYWORD for item in parameters.values())
    hints = _hints(fn)
    for key, path in _paths(point):
        first, *rest = path.split(".")
        if first == "work" and key == "artifacts" and point.point.kind == "event":
            continue  # of a call inside, whichever that will be
        if first != "result" and first not in parameters and not takes_any:
            yield f"{key}: {path!r} finds nothing: no parameter {first!r} (there are {', '.join(parameters)})"
        elif rest:
            yield from _below(key, path, hints.get("return" if first == "result" else first), rest[0])


def _paths(point: MappedPoint) -> Iterator[tuple[str, str]]:
    row = point.point
    for item in row.ids:
        yield f"{item.use}.{item.kind}", item.path
    for key in ("session", "task", "name_from", "carry", "stamps"):
        if getattr(row, key):
            yield key, getattr(row, key)
    for failure in row.failed:
        yield f"failed.{failure.path}", failure.path
    for name, path in row.values.items():
        yield f"values.{name}", path
    for template in (*row.artifacts, *([row.rewrites.file] if row.rewrites else [])):
        for place in places(template):
            yield "artifacts", place


def _below(key: str, path: str, declared: Any, word: str) -> Iterator[str]:
    """Say what a declared class tells of the first step below a parameter or the result."""
    if not isinstance(declared, type) or issubclass(declared, (dict, list, tuple, str)):
        return
    names = {item.name for item in dataclasses.fields(declared)} if dataclasses.is_dataclass(declared) else set()
    found = inspect.getattr_static(declared, word, None)
    if isinstance(found, property):
        yield f"{key}: {path!r} runs the property {declared.__name__}.{word}: where it raises, nothing is found"
    elif dataclasses.is_dataclass(declared) and word not in names and found is None:
        yield f"{key}: {path!r} finds nothing: {declared.__name__} has no {word!r}"


def _hints(fn: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(fn)
    except Exception:  # noqa: BLE001 - annotations may name anything
        return {}
