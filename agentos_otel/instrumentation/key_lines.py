"""The line where each key of a TOML text stands, for errors that name it; tomllib gives values without lines."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import Final, Literal, TypeAlias

_TOKEN: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' r"'''.*?'{3,5}|" r'"(?:\\.|[^"\\])*"|' r"'[^']*'|#[^\n]*|[\w-]+|[^\s]|\n", re.DOTALL
)

Key: TypeAlias = tuple[str | int, ...]


class KeyLines:
    """The line where each key of valid TOML stands first; tables of an array by their number.

    A search for the word in the text finds it in comments, strings and other
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
