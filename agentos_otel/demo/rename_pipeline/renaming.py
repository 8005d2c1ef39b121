"""Finding and renaming an identifier in Python source, by tokens: never in strings or comments."""

from __future__ import annotations

import io
import itertools
import re
import tokenize
from typing import Final

_STRING: Final = re.compile(r"(?P<prefix>[A-Za-z]*)(?P<quote>'''|\"\"\"|'|\")", re.ASCII)
_OPENING: Final = "([{"
_CLOSING: Final = ")]}"


def count(source: str, name: str) -> int:
    """Return how often `name` stands in `source` as an identifier."""
    return _words(source, name) - mentions(source, name)


def mentions(source: str, name: str) -> int:
    """Return how often `name` stands in strings and comments, as a word."""
    return _words(rename(source, name, ""), name)


def _words(text: str, name: str) -> int:
    return len(re.findall(rf"\b{re.escape(name)}\b", text))


def rename(source: str, old: str, new: str) -> str:
    """Return `source` with the identifier `old` named `new`; everything else stays as it was, to the character.

    Raises:
        tokenize.TokenError: `source` is no Python.
        SyntaxError: The same, seen by another part of the tokenizer.
    """
    edits, lines = _edits(source, old, new)
    starts = [0, *itertools.accumulate(len(line) for line in lines)]
    pieces, position = [], 0
    for (first_row, first_column), (last_row, last_column), text in edits:
        begin, end = starts[first_row - 1] + first_column, starts[last_row - 1] + last_column
        pieces += [source[position:begin], text]
        position = end
    return "".join([*pieces, source[position:]])


_Edit = tuple[tuple[int, int], tuple[int, int], str]


def _edits(source: str, old: str, new: str) -> tuple[list[_Edit], list[str]]:
    # Not str.splitlines(): a form feed within a line is no line end to the tokenizer.
    lines = list(io.StringIO(source, newline=""))
    edits: list[_Edit] = []
    for token in tokenize.generate_tokens(iter([*lines, ""]).__next__):
        if token.type == tokenize.NAME and token.string == old:
            edits.append((token.start, token.end, new))
        elif token.type == tokenize.STRING and old in token.string:
            # Up to Python 3.11 an f-string is one token, and the names in its fields are hidden in it.
            edits.append((token.start, token.end, _f_string(token.string, old, new)))
    return edits, lines


def _f_string(text: str, old: str, new: str) -> str:
    match = _STRING.match(text)
    if match is None or "f" not in match["prefix"].lower():
        return text
    quote = len(match["quote"])
    body = text[match.end() : -quote]
    return text[: match.end()] + _fields(body, old, new, raw="r" in match["prefix"].lower()) + text[-quote:]


def _fields(text: str, old: str, new: str, *, raw: bool) -> str:
    """Return the body of an f-string, or a format specification, with the names in its fields renamed."""
    pieces, at = [], 0
    while at < len(text):
        if text.startswith(("{{", "}}"), at) or (not raw and text.startswith("\\\\", at)):
            end = at + 2
        elif not raw and text.startswith("\\N{", at):
            end = text.index("}", at) + 1
        elif text[at] == "{":
            end = _expression_end(text, at + 1)
            # In parentheses, so that an expression over several lines is one to the tokenizer.
            pieces.append("{" + rename(f"({text[at + 1 : end]})", old, new)[1:-1])
            at, end = end, _field_end(text, end)
            colon = text.find(":", at, end)
            if colon >= 0:
                pieces.append(text[at : colon + 1] + _fields(text[colon + 1 : end], old, new, raw=raw))
                at = end
            end += 1
        else:
            end = at + 1
        pieces.append(text[at:end])
        at = end
    return "".join(pieces)


def _expression_end(text: str, at: int) -> int:
    """Return where a field's expression ends: at its `!r`, its `:` or its `}`."""
    depth = 0
    while at < len(text):
        if string := _STRING.match(text, at):
            at = text.index(string["quote"], string.end()) + len(string["quote"])
            continue
        letter = text[at]
        if depth == 0 and (letter in ":}" or (letter == "!" and text[at + 1 : at + 2] != "=")):
            return at
        depth += (letter in _OPENING) - (letter in _CLOSING)
        at += 1
    return at


def _field_end(text: str, at: int) -> int:
    """Return where the field's closing brace stands; its format may hold fields of its own."""
    depth = 0
    while at < len(text) and (depth or text[at] != "}"):
        depth += (text[at] == "{") - (text[at] == "}")
        at += 1
    return at
