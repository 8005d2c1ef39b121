"""The map of points: TOML that says which callables of a host are what; each error names its line and key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from agentos_otel.errors import ConfigurationError
from agentos_otel.instrumentation.key_lines import Key, KeyLines
from agentos_otel.model import ENDED_STATUSES, POINT_KINDS, Failure, HostTasks, IdPath, Point, Rewrites

_NAME: Final = r"[^\W\d]\w*"
_DOTTED: Final = re.compile(rf"{_NAME}(?:\.{_NAME})*")
_TARGET: Final = re.compile(rf"(\.?{_DOTTED.pattern}):({_DOTTED.pattern})")
_PATH: Final = re.compile(rf"{_NAME}(?:\.(?:\w+|\*))*")
_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_SQL_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_SCALARS: Final = (str, int, float, bool)
_TOP: Final = ("name", "packages", "host_tasks", "point")
_USES: Final = ("produces", "consumes", "joins")
_KEYS: Final[dict[str, type]] = {
    "target": str, "kind": str, "name": str, "name_from": str, "begins": bool, "ends": bool, "new": bool,
    "produces": dict, "consumes": dict, "joins": dict, "session": str, "task": str, "artifacts": list,
    "failed": dict, "control_flow": list, "capture": bool, "attributes": dict, "values": dict, "carry": str,
    "carry_task": str, "stamps": str, "fails": bool, "inside": bool, "rewrites": dict,
}  # fmt: skip
_HOST_TASKS: Final[dict[str, type]] = {
    "database": list, "table": str, "key": str, "session": str, "status": str, "trace": str, "ended": dict,
}  # fmt: skip
_TYPES: Final = {str: "a text", bool: "true or false", dict: "a table", list: "a list"}


@dataclass(frozen=True, slots=True)
class MappedPoint:
    """A point and where it is: module and qualified name."""

    module: str
    qualname: str
    point: Point
    find_line: Callable[[], int] = field(compare=False)

    @property
    def line(self) -> int:
        """Line of its `[[point]]` in the map. Looked for when it is asked: a traced process has no use for it."""
        return self.find_line()


@dataclass(frozen=True, slots=True)
class PointMap:
    """A map by its name, where it comes from, its points, and the host's own table of tasks if it has one."""

    name: str
    source: str
    points: tuple[MappedPoint, ...]
    host_tasks: HostTasks | None = None


def load_map(path: Path) -> PointMap:
    """Return the map in the file at `path`; in a `pyproject.toml` it is the table `[tool.agentos_otel]`.

    Raises:
        ConfigurationError: The file cannot be read, or is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"the map {path} cannot be read: {reason}") from error
    if path.name == "pyproject.toml":
        tool = _toml(text, str(path)).get("tool")
        table = tool.get("agentos_otel") if isinstance(tool, dict) else None
        return parse_table(table, text, str(path), ("tool", "agentos_otel"))
    return parse_map(text, str(path))


def parse_map(text: str, source: str) -> PointMap:
    """Return the map that `text` holds; `source` names it in errors.

    Raises:
        ConfigurationError: `SOURCE:LINE: key 'KEY': what is wrong`, one line.
    """
    data = _toml(text, source)
    return _Parser(text, source).map(data)


def _toml(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a plain ValueError: an integer of over 4,300 digits
        found = re.search(r"at line (\d+)", str(error))
        line = int(found.group(1)) if found else max(text.rstrip("\n").count("\n") + 1, 1)
        raise ConfigurationError(" ".join(f"{source}:{line}: not TOML: {error}".split())) from error


def parse_table(table: Any, text: str, source: str, below: Key) -> PointMap:
    """Return the map that is a table of a larger TOML file; `below` is the table's own key in `text`.

    Raises:
        ConfigurationError: As `parse_map`.
    """
    if not isinstance(table, dict):
        raise ConfigurationError(f"{source}: {'.'.join(map(str, below))} must be a table")
    return _Parser(text, source, below).map(table)


def places(path: str) -> list[str]:
    """Return the short paths in the name of a file: those in braces, or the path itself."""
    return _PLACE.findall(path) if "{" in path else [path]


class _Parser:
    def __init__(self, text: str, source: str, below: Key = ()) -> None:
        self._text = text
        self._source = source
        self._below = below
        self._lines: dict[Key, int] | None = None

    def map(self, data: dict[str, Any]) -> PointMap:
        for key in data:
            if key not in _TOP:
                self._wrong(key, f"unknown{_near(key, _TOP)}: a map has {', '.join(_TOP)}")
        name, packages, rows = data.get("name"), data.get("packages", []), data.get("point")
        if not isinstance(name, str) or not name:
            self._wrong("name", 'a map has a name: write name = "..."')
        if not isinstance(packages, list) or not all(isinstance(item, str) for item in packages):
            self._wrong("packages", 'must be a list of package names, such as ["agentos", "octopusos"]')
        for item in packages:
            if not _DOTTED.fullmatch(item) or packages.count(item) > 1:
                self._wrong("packages", f"{item!r} is no package's name, or stands twice")
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            self._wrong("point", "a map has at least one point: write [[point]] with target and kind")
        seen: dict[tuple[str, str], int] = {}
        points = []
        for number, row in enumerate(rows):
            for mapped in self._points(number, row, packages):
                first = seen.setdefault((mapped.module, mapped.qualname), number)
                if first != number:
                    line = self._line(("point", first, "target"))
                    what = f"{mapped.module}:{mapped.qualname} is a point already (line {line}): remove one"
                    self._wrong("target", what, number)
                points.append(mapped)
        return PointMap(name, self._source, tuple(points), self._host_tasks(data.get("host_tasks"), packages))

    def _host_tasks(self, given: Any, packages: list[str]) -> HostTasks | None:
        if given is None:
            return None
        if not isinstance(given, dict):
            self._wrong("host_tasks", "must be a table: write [host_tasks]")
        for key, value in given.items():
            wanted = _HOST_TASKS.get(key)
            if wanted is None:
                self._wrong(("host_tasks", key), f"unknown{_near(key, _HOST_TASKS) or ': remove it'}")
            if not isinstance(value, wanted):
                self._wrong(("host_tasks", key), f"must be {_TYPES[wanted]}, not {value!r}")
            if isinstance(value, str) and not _SQL_NAME.fullmatch(value):
                self._wrong(("host_tasks", key), f"{value!r} is no name of a table or column")
        for key in ("database", "table", "key"):
            if not given.get(key):
                self._wrong("host_tasks", f"{key} is missing")
        database = [name for item in given["database"] for name in self._functions(item, packages)]
        ended = given.get("ended", {})
        for key, value in ended.items():
            if value not in ENDED_STATUSES:
                self._wrong(("host_tasks", "ended", key), f"{value!r} is not one of {', '.join(ENDED_STATUSES)}")
        rest = {key: given[key] for key in ("table", "key", "session", "status", "trace") if key in given}
        return HostTasks(tuple(database), ended=ended, **rest)

    def _functions(self, item: Any, packages: list[str]) -> list[str]:
        match = _TARGET.fullmatch(item) if isinstance(item, str) else None
        if match is None:
            self._wrong(("host_tasks", "database"), f"{item!r} is not module:function")
        names = [package + match[1] for package in packages] if match[1].startswith(".") else [match[1]]
        return [f"{name}:{match[2]}" for name in names]

    def _points(self, number: int, row: dict[str, Any], packages: list[str]) -> Iterator[MappedPoint]:
        for key, value in row.items():
            wanted = _KEYS.get(key)
            if wanted is None:
                self._wrong(key, f"unknown{_near(key, _KEYS) or ': remove it'}", number)
            if not isinstance(value, wanted):
                self._wrong(key, f"must be {_TYPES[wanted]}, not {value!r}", number)
        target = row.get("target")
        match = _TARGET.fullmatch(target or "")
        if match is None:
            given = "missing: write" if target is None else f"{target!r} is not"
            self._wrong("target", f"{given} module:QualName, such as pkg.module:Class.method", number)
        module, qualname = match.groups()
        if module.startswith(".") and not packages:
            self._wrong(
                "target",
                f'{target!r} begins with a dot, but the map names no packages: write packages = ["..."]',
                number,
            )
        point = self._point(number, row, qualname)
        for name in [package + module for package in packages] if module.startswith(".") else [module]:
            yield MappedPoint(name, qualname, point, partial(self._line, ("point", number)))

    def _point(self, number: int, row: dict[str, Any], qualname: str) -> Point:
        kind = row.get("kind")
        if kind not in POINT_KINDS:
            given = f"{kind!r} is not one of" if kind is not None else "missing: write one of"
            self._wrong("kind", f"{given} {', '.join(POINT_KINDS)}{_near(str(kind), POINT_KINDS)}", number)
        self._check(number, row)
        ids = tuple(item for use in _USES for item in self._ids(number, use, row.get(use, {})))
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
            values=row.get("values", {}),
            carry=row.get("carry", ""),
            carry_task=row.get("carry_task", ""),
            stamps=row.get("stamps", ""),
            inside=row.get("inside", False),
            fails=row.get("fails", False),
            rewrites=self._rewrites(number, row.get("rewrites")),
        )

    def _check(self, number: int, row: dict[str, Any]) -> None:
        """Refuse values that cannot be meant, key by key."""
        if row.get("begins") and row.get("joins"):
            self._wrong("begins", "a point that begins a task cannot join one: remove begins or joins", number)
        for key in ("session", "task", "name_from"):
            if row.get(key):
                self._path(number, (key,), row[key], before=True)
        for item in row.get("artifacts", []):
            self._file(number, ("artifacts",), item)
        for item in row.get("control_flow", []):
            if not isinstance(item, str) or not _TARGET.fullmatch(item) or item.startswith("."):
                self._wrong("control_flow", f"{item!r} is not module:Class, such as pkg.errors:Stop", number)
        for key, path in row.get("values", {}).items():
            self._path(number, ("values", key), path)
        for key in ("carry", "stamps"):
            if row.get(key) and not re.fullmatch(_NAME, row[key]):
                self._wrong(key, f"{row[key]!r} is no parameter's name", number)
        if row.get("carry_task"):
            self._path(number, ("carry_task",), row["carry_task"])
            if not row.get("carry"):
                self._wrong("carry_task", "is of the function that carry names: write carry too", number)
        self._check_attributes(number, row.get("attributes", {}))
        self._check_event(number, row)

    def _check_attributes(self, number: int, table: dict[str, Any]) -> None:
        for key, value in table.items():
            items = value if isinstance(value, list) else [value]
            if not all(isinstance(item, _SCALARS) for item in items) or len({type(item) for item in items}) > 1:
                self._wrong(("attributes", key), f"{value!r} is no text, number, true, false or list of one", number)

    def _check_event(self, number: int, row: dict[str, Any]) -> None:
        if row["kind"] != "event":
            if row.get("fails"):
                self._wrong("fails", "only an event says it of the span around it: write failed", number)
            return
        for key in ("begins", "ends", "new", "joins", "capture", "rewrites", "name_from", "session", "inside"):
            if row.get(key):
                self._wrong(
                    key, "an event has no span and no task of its own: remove it, or write another kind", number
                )

    def _rewrites(self, number: int, table: dict[str, Any] | None) -> Rewrites | None:
        if table is None:
            return None
        for key, value in table.items():
            if key not in ("file", "old", "new", "repository"):
                self._wrong(("rewrites", key), "unknown: it has file, old, new and repository", number)
            check = self._file if key == "file" else self._path
            check(number, ("rewrites", key), value)
        for key in ("file", "old", "new"):
            if key not in table:
                self._wrong("rewrites", f"{key} is missing", number)
        return Rewrites(**table)

    def _file(self, number: int, key: Key, path: Any) -> None:
        """Check the name of a file: a short path, or a template with short paths in braces."""
        if not isinstance(path, str) or "{" not in path:
            self._path(number, key, path)
            return
        if "{" in _PLACE.sub("", path) or "}" in _PLACE.sub("", path):
            self._wrong(key, f"{path!r}: a brace without its other half", number)
        for place in _PLACE.findall(path):
            self._path(number, key, place)

    def _ids(self, number: int, use: Any, table: dict[str, Any]) -> Iterator[IdPath]:
        for kind, given in table.items():
            for path in given if isinstance(given, list) else [given]:
                self._path(number, (use, kind), path, before=use != "produces")
                yield IdPath(kind, path, use)

    def _failures(self, number: int, table: dict[str, Any]) -> Iterator[Failure]:
        for path, values in table.items():
            key = ("failed", path)
            self._path(number, key, path)
            if not isinstance(values, list) or not all(isinstance(value, _SCALARS) for value in values):
                what = 'must be a list of texts, numbers, true, false, "<none>", "<empty>"'
                self._wrong(key, f"{what}, not {values!r}", number)
            named: dict[Any, Any] = {"<none>": None, "<empty>": ()}
            yield Failure(path, tuple(named.get(value, value) for value in values))

    def _path(self, number: int, key: Key, path: Any, *, before: bool = False) -> None:
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            self._wrong(key, f"{path!r} is not a path such as request.id or result.items.0.id", number)
        if before and path.split(".")[0] == "result":
            self._wrong(key, f"{path!r}: there is no result before the call: name a parameter", number)

    def _line(self, key: Key) -> int:
        """Return the line of `key`, or of the nearest table around it that is there."""
        key = (*self._below, *key)
        if self._lines is None:
            self._lines = KeyLines(self._text).lines
        lines = self._lines
        return next((lines[key[:end]] for end in range(len(key), 0, -1) if key[:end] in lines), 1)

    def _wrong(self, key: str | Key, what: str, number: int | None = None) -> NoReturn:
        words = (key,) if isinstance(key, str) else key
        line = self._line(words if number is None else ("point", number, *words))
        shown = ".".join(map(str, words))
        raise ConfigurationError(" ".join(f"{self._source}:{line}: key {shown!r}: {what}".split()))


def _near(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
