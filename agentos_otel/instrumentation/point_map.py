"""The map of points: TOML that says which callables of a host are what; each error names its line and key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, TypeAlias

from agentos_otel.errors import ConfigurationError
from agentos_otel.model import POINT_KINDS, Failure, IdPath, Point

_NAME: Final = r"[^\W\d]\w*"
_DOTTED: Final = re.compile(rf"{_NAME}(?:\.{_NAME})*")
_TARGET: Final = re.compile(rf"(\.?{_DOTTED.pattern}):({_DOTTED.pattern})")
_PATH: Final = re.compile(rf"{_NAME}(?:\.\w+)*")
_SCALARS: Final = (str, int, float, bool)
_TOKEN: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' r"'''.*?'{3,5}|" r'"(?:\\.|[^"\\])*"|' r"'[^']*'|#[^\n]*|[\w-]+|[^\s]|\n", re.DOTALL
)
_TOP: Final = ("name", "packages", "point")
_USES: Final = ("produces", "consumes", "joins")
_KEYS: Final[dict[str, type]] = {
    "target": str, "kind": str, "name": str, "name_from": str, "begins": bool, "ends": bool, "new": bool,
    "produces": dict, "consumes": dict, "joins": dict, "session": str, "task": str, "artifacts": list,
    "failed": dict, "control_flow": list, "capture": bool, "attributes": dict,
}  # fmt: skip
_TYPES: Final = {str: "a text", bool: "true or false", dict: "a table", list: "a list"}


Key: TypeAlias = tuple[str | int, ...]


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
    except (ValueError, RecursionError) as error:  # a plain ValueError: an integer of over 4,300 digits
        found = re.search(r"at line (\d+)", str(error))
        line = int(found.group(1)) if found else max(text.rstrip("\n").count("\n") + 1, 1)
        raise ConfigurationError(" ".join(f"{source}:{line}: not TOML: {error}".split())) from error
    return _Parser(text, source).map(data)


class _Parser:
    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source

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
        return PointMap(name, self._source, tuple(points))

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
            yield MappedPoint(name, qualname, point, self._line(("point", number)))

    def _point(self, number: int, row: dict[str, Any], qualname: str) -> Point:
        kind = row.get("kind")
        if kind not in POINT_KINDS:
            given = f"{kind!r} is not one of" if kind is not None else "missing: write one of"
            self._wrong("kind", f"{given} {', '.join(POINT_KINDS)}{_near(str(kind), POINT_KINDS)}", number)
        ids = tuple(item for use in _USES for item in self._ids(number, use, row.get(use, {})))
        if row.get("begins") and row.get("joins"):
            self._wrong("begins", "a point that begins a task cannot join one: remove begins or joins", number)
        for key in ("session", "task", "name_from"):
            if row.get(key):
                self._path(number, (key,), row[key], before=True)
        for item in row.get("artifacts", []):
            self._path(number, ("artifacts",), item)
        for item in row.get("control_flow", []):
            if not isinstance(item, str) or not _TARGET.fullmatch(item) or item.startswith("."):
                self._wrong("control_flow", f"{item!r} is not module:Class, such as pkg.errors:Stop", number)
        for key, value in row.get("attributes", {}).items():
            items = value if isinstance(value, list) else [value]
            if not all(isinstance(item, _SCALARS) for item in items) or len({type(item) for item in items}) > 1:
                self._wrong(("attributes", key), f"{value!r} is no text, number, true, false or list of one", number)
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
                self._path(number, (use, kind), path, before=use != "produces")
                yield IdPath(kind, path, use)

    def _failures(self, number: int, table: dict[str, Any]) -> Iterator[Failure]:
        for path, values in table.items():
            key = ("failed", path)
            self._path(number, key, path)
            if not isinstance(values, list) or not all(isinstance(value, _SCALARS) for value in values):
                self._wrong(key, f'must be a list of texts, numbers, true, false, "<none>", not {values!r}', number)
            yield Failure(path, tuple(None if value == "<none>" else value for value in values))

    def _path(self, number: int, key: Key, path: Any, *, before: bool = False) -> None:
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            self._wrong(key, f"{path!r} is not a path such as request.id or result.items.0.id", number)
        if before and path.split(".")[0] == "result":
            self._wrong(key, f"{path!r}: there is no result before the call: name a parameter", number)

    def _line(self, key: Key) -> int:
        """Return the line of `key`, or of the nearest table around it that is there."""
        lines = _KeyLines(self._text).lines
        return next((lines[key[:end]] for end in range(len(key), 0, -1) if key[:end] in lines), 1)

    def _wrong(self, key: str | Key, what: str, number: int | None = None) -> NoReturn:
        words = (key,) if isinstance(key, str) else key
        line = self._line(words if number is None else ("point", number, *words))
        shown = ".".join(map(str, words))
        raise ConfigurationError(" ".join(f"{self._source}:{line}: key {shown!r}: {what}".split()))


def _near(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


class _KeyLines:
    """The line where each key of valid TOML stands first; tables of an array by their number.

    tomllib gives values without lines. A search for the word in the text finds it in comments, strings and other
    tables too; so the tokens are walked, which is short because the text has been parsed already.
    """

    def __init__(self, text: str) -> None:
        self.lines: dict[Key, int] = {}
        self._line = 1
        self._mode: Literal["key", "value", "header"] = "key"
        self._words: list[str] = []  # of the key that is being read
        self._table: Key = ()
        self._tables: Counter[Key] = Counter()
        self._brackets = 0  # of a header: two are a table of an array
        self._key: Key = ()
        self._open: list[tuple[str, Key, list[int]]] = []  # brackets in a value: kind, key, number of the item
        for piece in _TOKEN.findall(text + "\n"):
            if piece == "\n":
                self._end_of_line()
            elif not piece.startswith("#"):
                {"key": self._in_key, "value": self._in_value, "header": self._in_header}[self._mode](piece)
            self._line += piece.count("\n")

    def _end_of_line(self) -> None:
        if self._open:
            return
        if self._mode == "header":
            self._table = self._note((), array=self._brackets == 2)
        self._mode = "key"

    def _in_header(self, piece: str) -> None:
        self._brackets += piece == "["
        self._word(piece)

    def _in_key(self, piece: str) -> None:
        if piece == "[":
            self._mode, self._brackets = "header", 1
        elif piece == "=":
            self._key = self._note(self._open[-1][1] if self._open else self._table)
            self._mode = "value"
        elif piece == "}":
            self._open.pop()
            self._mode = "value"
        else:
            self._word(piece)

    def _in_value(self, piece: str) -> None:
        inside = self._open[-1] if self._open else ("", (), [0])
        if piece in ("{", "["):
            key = (*inside[1], inside[2][0]) if inside[0] == "[" else self._key
            self.lines.setdefault(key, self._line)
            self._open.append((piece, key, [0]))
            self._mode = "key" if piece == "{" else "value"
        elif piece in ("}", "]"):
            self._open.pop()
        elif piece == ",":
            inside[2][0] += 1
            self._mode = "key" if inside[0] == "{" else "value"

    def _word(self, piece: str) -> None:
        if piece[0] in "\"'":
            self._words.append(next(iter(tomllib.loads(f"{piece} = 0"))))
        elif re.match(r"[\w-]", piece):
            self._words.append(piece)

    def _note(self, base: Key, *, array: bool = False) -> Key:
        for place, word in enumerate(self._words, 1):
            base = (*base, word)
            self.lines.setdefault(base, self._line)
            if array and place == len(self._words):
                self._tables[base] += 1
            if self._tables[base] and self._mode == "header":
                base = (*base, self._tables[base] - 1)
                self.lines.setdefault(base, self._line)
        self._words.clear()
        return base
