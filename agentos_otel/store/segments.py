"""The files that journals lie in: one per live run, or one per day with a header before each run's segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from agentos_otel.journal.encoding import json_bytes
from agentos_otel.journal.reader import Record
from agentos_otel.journal.record import STATEMENT, frame
from agentos_otel.store import decode

LIVE_FILES: Final = "live/"
DAY_FILES: Final = "done/"
_BEGINS: Final = b'{"op":"segment",'


def run_of(name: str) -> str:
    """Return the id of the run that wrote a segment."""
    return name.rsplit("/", 1)[-1].split(".", 1)[0]


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before a segment in a day file."""

    record: Record
    name: str
    size: int


def header(name: str, size: int, written_ns: int) -> bytes:
    """Return the record that stands before a segment of a day file.

    Args:
        name: Name of the segment: host and file.
        size: Its bytes.
        written_ns: When it was written last, in Unix nanoseconds.
    """
    return frame(STATEMENT, json_bytes({"op": "segment", "name": name, "size": size, "at": written_ns}))


def header_of(record: Record) -> Header | None:
    """Return what a record says of the segment behind it, if it is a header."""
    if record.field != STATEMENT or not record.body.startswith(_BEGINS):
        return None
    said = decode.statement(record.body)
    return Header(record, text_of(said.get("name")), count_of(said.get("size")))


def text_of(value: Any) -> str:
    """Return a text that was read from a journal, as it can be written again: JSON can say what UTF-8 cannot."""
    return str(value).encode("utf-8", "replace").decode()


def count_of(value: Any) -> int:
    """Return a number that was read from a journal; whatever else stands there counts as none."""
    return value if type(value) is int and 0 <= value < 1 << 63 else 0
