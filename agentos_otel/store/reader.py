"""Reads one journal file: tails it, finds every intact record around a damage, and counts what is damaged."""

from __future__ import annotations

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


def _record_at(data: bytes, start: int, base: int) -> tuple[Record, int] | None:
    """Return the record that stands at `start` and its end, or None if none stands there whole."""
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
    if data[end + 3 : end + 5] != VERSION:
        raise StorageError("the journal was written by a newer agentos-otel: upgrade this one to read it")
    after = end + CHECK_SIZE
    return Record(number, base + start, after - start, data[position:end]), after


def _next_record(data: bytes, start: int, base: int) -> tuple[Record, int] | None:
    """Return the first whole record at or after `start`, trying each byte that could begin one."""
    for match in _CANDIDATE.finditer(data, start):
        found = _record_at(data, match.start(), base)
        if found is not None:
            return found
    return None


def parse(data: bytes, base: int = 0, *, final: bool = False) -> Chunk:
    """Return the records in `data`, which begins at offset `base` of its file.

    Args:
        data: Bytes of the file.
        base: Where they begin in the file.
        final: Nobody writes any more: an incomplete record at the end is damage, else it is still being written.

    Raises:
        StorageError: The file was written by a newer version.
    """
    chunk = Chunk(next_offset=base)
    position = 0
    while position < len(data):
        found = _record_at(data, position, base) or _next_record(data, position + 1, base)
        if found is None:
            if final:
                chunk.damaged += 1
                chunk.damaged_bytes += len(data) - position
                chunk.next_offset = base + len(data)
            return chunk
        record, after = found
        if record.offset != base + position:
            chunk.damaged += 1
            chunk.damaged_bytes += record.offset - base - position
        chunk.records.append(record)
        position = after
        chunk.next_offset = base + position
    return chunk


def read_file(path: Path, offset: int = 0, *, final: bool = False) -> Chunk:
    """Return what `path` holds from `offset` on; see `parse`.

    Raises:
        StorageError: The file was written by a newer version.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        file.seek(offset)
        return parse(file.read(), offset, final=final)


def read_records(path: Path, places: list[tuple[int, int]]) -> list[Record]:
    """Return the records of `path` that lie at `places` (offset, size); what no longer stands there is left out."""
    found = []
    with path.open("rb") as file:
        descriptor = file.fileno()
        for offset, size in places:
            record = _record_at(os.pread(descriptor, size, offset), 0, offset) if size else None
            if record is not None:
                found.append(record[0])
    return found


def overwrite(path: Path, offset: int, size: int) -> None:
    """Replace one record in place by a statement of exactly its size that says it was erased.

    Raises:
        ValueError: The record is too small to say so.
    """
    body_size = size - CHECK_SIZE - 1
    while len(varint(body_size)) + 1 + body_size + CHECK_SIZE > size:
        body_size -= 1
    text = b'{"op":"erased"}'
    record = frame(STATEMENT, text.ljust(body_size))
    if len(text) > body_size or len(record) != size:
        raise ValueError(f"no room for an erasure in {size} bytes")
    descriptor = os.open(path, os.O_WRONLY)  # not O_APPEND: on Linux pwrite() would append then
    try:
        os.pwrite(descriptor, record, offset)
    finally:
        os.close(descriptor)
