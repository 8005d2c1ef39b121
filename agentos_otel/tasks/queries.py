"""Named queries in .sql files: `-- name: find_task`, then SQL with `:parameter` placeholders.

aiosql does the same at 54 ms of import for each short process, and its insert-returning differs between the databases.
SQLite takes `:name` as it is; PostgreSQL wants `$1`, so its text is derived once per query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Final

# What must be skipped to see only SQL; an unterminated quote or comment runs to the end, as a server would read it.
_OPAQUE: Final = r"""
    '[^']*(?:''[^']*)*'?            # text
  | "[^"]*(?:""[^"]*)*"?            # name
  | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)  # text of PostgreSQL
  | (?P<comment>--[^\n]* | /\*.*?(?:\*/|\Z))
"""


@cache
def _pattern(kind: str) -> re.Pattern[str]:
    # At first use: SQLite takes the queries as they are, and compiling costs each short process 5 ms.
    return re.compile(f"{_OPAQUE} | {kind}", re.VERBOSE | re.DOTALL)


def _placeholder() -> re.Pattern[str]:
    return _pattern(r"::+ | :(?P<name>[A-Za-z_]\w*)")


def _separator() -> re.Pattern[str]:
    return _pattern(r"(?P<end>;)")


def load(text: str) -> dict[str, str]:
    """Return the queries of one .sql file by name.

    Raises:
        ValueError: A name is missing, no identifier, given twice, or has no SQL.
    """
    head, *parts = f"\n{text}".split("\n-- name:")
    if any(line.strip() and not line.startswith("--") for line in head.split("\n")):
        raise ValueError(f"SQL before the first `-- name:` line: {head.strip()[:60]!r}")
    found: dict[str, str] = {}
    for part in parts:
        name, _, body = part.partition("\n")
        name = name.strip()
        if not name.isidentifier() or name in found:
            raise ValueError(f"a query needs a name of its own that is an identifier, not {name!r}")
        if all(line.startswith("--") for line in body.split("\n") if line.strip()):
            raise ValueError(f"query {name!r} has no SQL")
        found[name] = body.strip().removesuffix(";").rstrip()
    return found


def for_postgresql(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return `sql` with `$1`, `$2`… for its `:names`, and the names in the order of their numbers.

    A name that occurs again keeps its number. Text in quotes, comments and `::type` casts stay as they are.
    """
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        name = match["name"]
        return match[0] if name is None else f"${numbers.setdefault(name, len(numbers) + 1)}"

    return _placeholder().sub(number, sql), tuple(numbers)


def without_comments(sql: str) -> str:
    """Return `sql` without comments and the space around it."""
    return _separator().sub(lambda match: " " if match["comment"] else match[0], sql).strip()


def statements(script: str, dialect: str) -> Iterator[str]:
    """Yield the statements of a migration that are for `dialect`, in order.

    A line `-- only: sqlite` or `-- only: postgresql` before a statement keeps it from the other one.
    """
    start = 0
    ends = [match.start() for match in _separator().finditer(script) if match["end"]]
    for end in [*ends, len(script)]:
        chunk = script[start:end]
        start = end + 1
        only = re.search(r"^[ \t]*--[ \t]*only:[ \t]*(\w+)[ \t]*$", chunk, re.MULTILINE)
        sql = without_comments(chunk)
        if sql and (only is None or only[1] == dialect):
            yield sql


class SqlSource:
    """A directory of `NNNN_name.sql` migrations and other .sql files of named queries; read when first asked.

    Args:
        directory: Where the files are; the package's own by default.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or Path(__file__).with_name("sql")

    @cached_property
    def queries(self) -> dict[str, str]:
        """The named queries of all files whose names do not begin with a digit.

        Raises:
            ValueError: Two files give the same name, or one cannot be parsed.
        """
        found: dict[str, str] = {}
        for path in sorted(self._directory.glob("[!0-9]*.sql")):
            queries = load(path.read_text("utf-8"))
            if twice := found.keys() & queries.keys():
                raise ValueError(f"{path.name} names a query of another file again: {', '.join(sorted(twice))}")
            found |= queries
        return found

    @cached_property
    def migrations(self) -> dict[int, Path]:
        """The migrations by number, in order."""
        return {int(path.name[:4]): path for path in sorted(self._directory.glob("[0-9][0-9][0-9][0-9]_*.sql"))}

    @property
    def newest(self) -> int:
        """The schema version that these files make; 0 without any."""
        return max(self.migrations, default=0)


@cache
def package_source() -> SqlSource:
    """Return the package's own SQL."""
    return SqlSource()


def package_queries() -> dict[str, str]:
    """Return the package's own named queries; read once per process."""
    return package_source().queries
