"""Reads one journal file: tails it, finds every intact record around a damage, and counts what is damaged."""

from __future__ import annotations

import contextlib
import os
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zlib import crc32

from agentos_otel.errors import StorageError
from agentos_otel.journal.record import CHECK_HEAD, CHECK_SIZE, MARK, STATEMENT, TAGS, VERSION, frame, varint

_FIELDS: Final = {tag[0]: number for number, tag in TAGS.items()}
_CANDIDATE: Final = re.compile(b"[" + b"".join(re.escape(tag) for tag in TAGS.values()) + b"]")
_crc: Final = struct.Struct("<I").unpack_from
_HEAD: Final = len(CHECK_HEAD)


@dataclass(frozen=True, slots=True)
class Record:
    """One intact record: its field, where it lies (check included), and its body."""

    field: int
    offset: int
    size: int
    body: bytes


@dataclass(slots=True)
class Chunk:
    """What one reading found: records, where to go on, and the damage that was passed over."""

    records: list[Record] = field(default_factory=list)
    next_offset: int = 0
    damaged: int = 0
    damaged_bytes: int = 0


def _whole_at(data: bytes, start: int, base: int) -> tuple[Record, bytes] | None:
    """Return the record that stands whole at `start` and its format version, or None."""
    number = _FIELDS.get(data[start])
    if number is None:
        return None
    length, shift, position = 0, 0, start + 1
    while True:
        if position >= len(data) or shift > 35:
            return None
        byte = data[position]
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    end = position + length
    if end + CHECK_SIZE > len(data) or data[end] != CHECK_HEAD[0] or data[end + 1 : end + 3] != MARK:
        return None
    if _crc(data, end + _HEAD)[0] != crc32(memoryview(data)[start:end]):
        return None
    return Record(number, base + start, end + CHECK_SIZE - start, data[position:end]), data[end + 3 : end + _HEAD]


def _next_record(data: bytes, start: int, base: int) -> tuple[Record | None, bool]:
    """Return the first record of our version at or after `start`, and whether one of another version was passed."""
    newer = False
    for match in _CANDIDATE.finditer(data, start):
        found = _whole_at(data, match.start(), base)
        if found is not None and found[1] == VERSION:
            return found[0], newer
        newer = newer or found is not None
    return None, newer


def parse(data: bytes, base: int = 0, *, final: bool = False, source: str = "the journal") -> Chunk:
    """Return the records in `data`, which begins at offset `base` of its file.

    Args:
        data: Bytes of the file.
        base: Where they begin in the file.
        final: Nobody writes any more: an incomplete record at the end is damage, else it is still being written.
        source: What the error calls the file.

    Raises:
        StorageError: The file was written by a newer version.
    """
    chunk = Chunk(next_offset=base)
    position = 0
    while position < len(data):
        found = _whole_at(data, position, base)
        if found is not None and found[1] == VERSION:
            record: Record | None = found[0]
        else:
            # The CRC does not cover the version. To refuse at the first odd version byte would let one flipped bit
            # make a whole run unreadable. What proves damage is a record of our version behind it: nobody who
            # writes a newer format goes back to ours.
            record, newer = _next_record(data, position, base)
            if record is None and newer:
                raise StorageError(f"{source} was written by a newer version of agentos-otel: upgrade to read it")
        if record is None:
            if final:
                chunk.damaged += 1
                chunk.damaged_bytes += len(data) - position
                chunk.next_offset = base + len(data)
            return chunk
        gap = record.offset - base - position
        if gap:
            chunk.damaged += 1
            chunk.damaged_bytes += gap
        chunk.records.append(record)
        position += gap + record.size
        chunk.next_offset = base + position
    return chunk


def read_file(path: Path, offset: int = 0, *, final: bool = False, limit: int | None = None) -> Chunk:
    """Return what `path` holds from `offset` on; see `parse`.

    Args:
        path: The file.
        offset: Border of a record: 0, or the `next_offset` of an earlier reading.
        final: Nobody writes any more.
        limit: Read about this many bytes, more only where one record is larger; go on at `next_offset` until it
            stays. None reads to the end. It is no default, since the reaper cuts a dead file at `next_offset`.

    Raises:
        StorageError: The file was written by a newer version.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(limit)
        at_end = limit is None or len(data) < limit
        while not at_end:
            with contextlib.suppress(StorageError):  # what follows may show that it is damage
                chunk = parse(data, offset)
                if chunk.records:
                    return chunk
            more = file.read(len(data))
            at_end = not more
            data += more
        return parse(data, offset, final=final, source=f"the journal {path}")


def read_records(path: Path, places: list[tuple[int, int]]) -> list[Record]:
    """Return the records of `path` that lie at `places` (offset, size); what no longer stands there is left out."""
    found = []
    with path.open("rb") as file:
        descriptor = file.fileno()
        for offset, size in places:
            data = os.pread(descriptor, size, offset)
            record = _whole_at(data, 0, offset) if data else None  # empty: the file is shorter by now
            if record is not None and record[1] == VERSION:
                found.append(record[0])
    return found


def overwrite(path: Path, offset: int, size: int) -> None:
    """Replace one record in place by a statement of exactly its size that says it was erased.

    Raises:
        ValueError: The record is too small to say so.
        OSError: The file cannot be written; the record may stand there in part.
    """
    text = b'{"op":"erased"}'
    body_size = size - CHECK_SIZE - 2
    if body_size < len(text):
        raise ValueError(f"no room for an erasure in {size} bytes")
    while len(varint(body_size)) + 1 + body_size + CHECK_SIZE > size:
        body_size -= 1
    record = frame(STATEMENT, text.ljust(body_size))
    if len(record) != size:
        raise ValueError(f"no record is {size} bytes long")  # where the length takes one byte more
    descriptor = os.open(path, os.O_WRONLY)  # not O_APPEND: on Linux pwrite() would append then
    try:
        if os.pwrite(descriptor, record, offset) != size:
            raise OSError(f"the record at {offset} was erased in part only")
    finally:
        os.close(descriptor)
