"""The map of points: TOML that says which callables of a host are what; each error names its line and key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from agentos_otel.errors import ConfigurationError
from agentos_otel.model import POINT_KINDS, Failure, IdPath, Point

_TARGET: Final = re.compile(r"(\.?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
_CLASS: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_USES: Final = ("produces", "consumes", "joins")
_KEYS: Final[dict[str, type]] = {
    "target": str, "kind": str, "name": str, "name_from": str, "begins": bool, "ends": bool, "new": bool,
    "produces": dict, "consumes": dict, "joins": dict, "session": str, "task": str, "artifacts": list,
    "failed": dict, "control_flow": list, "capture": bool, "attributes": dict,
}  # fmt: skip
_TYPES: Final = {str: "a text", bool: "true or false", dict: "a table", list: "a list"}


@dataclass(frozen=True, slots=True)
class MappedPoint:
    """A point and where it is: module and qualified name; `line` is that of its `[[point]]`."""

    module: str
    qualname: str
    point: Point
    line: int


@dataclass(frozen=True, slots=True)
class PointMap:
    """A map by its name, where it comes from, and its points."""

    name: str
    source: str
    points: tuple[MappedPoint, ...]


def load_map(path: Path) -> PointMap:
    """Return the map in the file at `path`.

    Raises:
        ConfigurationError: The file cannot be read, or is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"the map {path} cannot be read: {reason}") from error
    return parse_map(text, str(path))


def parse_map(text: str, source: str) -> PointMap:
    """Return the map that `text` holds; `source` names it in errors.

    Raises:
        ConfigurationError: `SOURCE:LINE: key 'KEY': what is wrong`, one line.
    """
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"at line (\d+)", str(error))
        line = found.group(1) if found else text.count("\n") + 1
        raise ConfigurationError(f"{source}:{line}: not TOML: {error}") from error
    return _Parser(text, source).map(data)


class _Parser:
    def __init__(self, text: str, source: str) -> None:
        self._lines = text.splitlines()
        self._source = source
        self._headers = [n for n, line in enumerate(self._lines, 1) if re.match(r"\s*\[\[\s*point\s*\]\]", line)]

    def map(self, data: dict[str, Any]) -> PointMap:
        for key in data:
            if key not in ("name", "packages", "point"):
                self._wrong(key, f"unknown{_near(key, ('name', 'packages', 'point'))}")
        name, packages, rows = data.get("name"), data.get("packages", []), data.get("point")
        if not isinstance(name, str) or not name:
            self._wrong("name", 'a map has a name: write name = "…"')
        if not isinstance(packages, list) or not all(isinstance(item, str) and item for item in packages):
            self._wrong("packages", "must be a list of package names")
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            self._wrong("point", "a map has at least one [[point]]")
        points = [mapped for number, row in enumerate(rows) for mapped in self._points(number, row, packages)]
        seen: dict[tuple[str, str], MappedPoint] = {}
        for mapped in points:
            first = seen.setdefault((mapped.module, mapped.qualname), mapped)
            if first is not mapped:
                raise ConfigurationError(
                    f"{self._source}:{mapped.line}: key 'target': {mapped.module}:{mapped.qualname} is a point already "
                    f"(line {first.line}): remove one"
                )
        return PointMap(name, self._source, tuple(points))

    def _points(self, number: int, row: dict[str, Any], packages: list[str]) -> Iterator[MappedPoint]:
        self._check_types(number, row)
        target = row.get("target", "")
        match = _TARGET.fullmatch(target)
        if match is None:
            self._wrong("target", f"{target!r} is not module:QualName, such as pkg.module:Class.method", number)
        module, qualname = match.groups()
        if module.startswith(".") and not packages:
            self._wrong("target", "begins with a dot, but the map names no packages", number)
        point = self._point(number, row, qualname)
        modules = [package + module for package in packages] if module.startswith(".") else [module]
        for name in modules:
            yield MappedPoint(name, qualname, point, self._line("", number))

    def _check_types(self, number: int, row: dict[str, Any]) -> None:
        for key, value in row.items():
            wanted = _KEYS.get(key)
            if wanted is None:
                self._wrong(key, f"unknown{_near(key, _KEYS)}", number)
            if not isinstance(value, wanted):
                self._wrong(key, f"must be {_TYPES[wanted]}, not {value!r}", number)

    def _point(self, number: int, row: dict[str, Any], qualname: str) -> Point:
        kind = row.get("kind")
        if kind not in POINT_KINDS:
            given = f"{kind!r} is not one of" if kind is not None else "missing: one of"
            self._wrong("kind", f"{given} {', '.join(POINT_KINDS)}{_near(str(kind), POINT_KINDS)}", number)
        ids = tuple(item for use in _USES for item in self._ids(number, use, row.get(use, {})))
        if row.get("begins") and row.get("joins"):
            self._wrong("begins", "a point that begins a task cannot join one: remove begins or joins", number)
        for key in ("session", "task", "name_from"):
            self._path(number, key, row.get(key) or "x", before=True)
        for item in row.get("artifacts", []):
            self._path(number, "artifacts", item)
        for item in row.get("control_flow", []):
            if not isinstance(item, str) or not _CLASS.fullmatch(item):
                self._wrong("control_flow", f"{item!r} is not module:Class", number)
        return Point(
            kind,
            row.get("name") or qualname.rsplit(".", 1)[-1],
            row.get("name_from", ""),
            ids,
            begins=row.get("begins", False),
            ends=row.get("ends", False),
            new=row.get("new", False),
            session=row.get("session", ""),
            task=row.get("task", ""),
            artifacts=tuple(row.get("artifacts", [])),
            failed=tuple(self._failures(number, row.get("failed", {}))),
            control_flow=tuple(row.get("control_flow", [])),
            capture=row.get("capture"),
            attributes=row.get("attributes", {}),
        )

    def _ids(self, number: int, use: Any, table: dict[str, Any]) -> Iterator[IdPath]:
        for kind, given in table.items():
            for path in given if isinstance(given, list) else [given]:
                self._path(number, f"{use}.{kind}", path, before=use == "joins")
                yield IdPath(kind, path, use)

    def _failures(self, number: int, table: dict[str, Any]) -> Iterator[Failure]:
        for path, values in table.items():
            self._path(number, f"failed.{path}", path)
            if not isinstance(values, list):
                self._wrong(f"failed.{path}", f"must be a list of values, not {values!r}", number)
            yield Failure(path, tuple(None if value == "<none>" else value for value in values))

    def _path(self, number: int, key: str, path: Any, *, before: bool = False) -> None:
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            self._wrong(key, f"{path!r} is not a path such as request.id or result.intent.id", number)
        if before and path.split(".")[0] == "result":
            self._wrong(key, f"{path!r}: there is no result before the call; name a parameter", number)

    def _line(self, key: str, number: int | None) -> int:
        """Return the line of `key` (dotted: the inner key where it stands) in the n-th point, or at the top."""
        begin = 0 if number is None else self._headers[number] if number < len(self._headers) else 0
        later = [line for line in self._headers if line > begin]
        end = later[0] - 1 if later else len(self._lines)
        best = max(begin, 1)
        for word in key.split(".")[:2] if key else ():
            pattern = re.compile(rf"(?:^|[\s{{,.\[])[\"']?{re.escape(word)}[\"']?\s*[=.\]]")
            start = best if word == key.split(".", maxsplit=1)[0] and number is None else max(best, begin)
            for line in range(max(start, 1), end + 1):
                if pattern.search(self._lines[line - 1].split("#")[0]):
                    best = line
                    break
        return best

    def _wrong(self, key: str, what: str, number: int | None = None) -> NoReturn:
        raise ConfigurationError(f"{self._source}:{self._line(key, number)}: key {key!r}: {' '.join(what.split())}")


def _near(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
