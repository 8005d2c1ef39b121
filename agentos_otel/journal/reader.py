"""Reads one journal file: tails it, finds every intact record around a damage, and counts what is damaged."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple
from zlib import crc32

from agentos_otel.errors import StorageError
from agentos_otel.journal.record import (
    CHECK_HEAD,
    CHECK_SIZE,
    MAX_RECORD,
    STATEMENT,
    TAGS,
    VERSION,
    frame,
    read_varint,
    varint,
)

_FIELDS: Final = {tag[0]: number for number, tag in TAGS.items()}
_CANDIDATE: Final = re.compile(b"[" + b"".join(re.escape(tag) for tag in TAGS.values()) + b"]")
_crc: Final = struct.Struct("<I").unpack_from
_HEAD: Final = len(CHECK_HEAD)
_CHECK_START: Final = CHECK_HEAD[:3]
_GAP: Final = 4096
_PIECE: Final = 8 << 20
_MOST_SUMMED: Final = 16


class Record(NamedTuple):  # made a million times a minute: a frozen dataclass costs four times as much
    """One intact record: its field, where it lies (check included), and its body."""

    field: int
    offset: int
    size: int
    body: bytes


@dataclass(slots=True)
class Chunk:
    """What one reading found: records, where to go on, and the gaps (offset, size) of damage that it passed over."""

    records: list[Record] = field(default_factory=list)
    next_offset: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)

    @property
    def damaged(self) -> int:
        """Number of damaged regions."""
        return len(self.gaps)

    @property
    def damaged_bytes(self) -> int:
        """Bytes in them."""
        return sum(size for _, size in self.gaps)


def _whole_at(data: bytes, start: int, base: int) -> tuple[Record, bytes] | None:
    """Return the record that stands whole at `start` and its format version, or None."""
    number = _FIELDS.get(data[start])
    if number is None:
        return None
    length, shift, position, size = 0, 0, start + 1, len(data)
    while True:
        if position >= size or shift > 35:
            return None
        byte = data[position]
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    end = position + length
    if end + CHECK_SIZE > size or data[end : end + 3] != _CHECK_START:
        return None
    if _crc(data, end + _HEAD)[0] != crc32(data[start:end]):
        return None
    return Record(number, base + start, end + CHECK_SIZE - start, data[position:end]), data[end + 3 : end + _HEAD]


class _Search:
    """Looks for records behind damages, in a time that grows with the data and not with its square.

    In bytes that were made for it, each can begin a record that ends where all the others end; the sums of half a
    megabyte of them take 20 s. So what is summed up is limited by how far the search has come: damage as disks and
    crashes make it stays far below, and behind bytes that do not, a few records are passed over.
    """

    __slots__ = ("_base", "_data", "_summed")

    def __init__(self, data: bytes, base: int) -> None:
        self._data = data
        self._base = base
        self._summed = 0

    def next_record(self, start: int) -> tuple[Record | None, bool]:
        """Return the first record of our version at or after `start`, and whether one of another was passed."""
        newer = False
        for match in _CANDIDATE.finditer(self._data, start):
            at = match.start()
            size = _claimed_at(self._data, at)
            if not size or self._summed + size > _MOST_SUMMED * (at + MAX_RECORD):
                continue
            self._summed += size
            found = _whole_at(self._data, at, self._base)
            if found is not None and found[1] == VERSION:
                return found[0], newer
            newer = newer or found is not None
        return None, newer


def _claimed_at(data: bytes, start: int) -> int:
    """Return how many bytes have to be summed up to know whether a record stands at `start`; 0 if none does."""
    try:
        length, position = read_varint(data, start + 1)
    except (IndexError, ValueError):
        return 0
    end = position + length
    return end - start if data[end : end + 3] == _CHECK_START else 0


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
    search = _Search(data, base)
    position = 0
    while position < len(data):
        found = _whole_at(data, position, base)
        if found is not None and found[1] == VERSION:
            record: Record | None = found[0]
        else:
            # The CRC does not cover the version. To refuse at the first odd version byte would let one flipped bit
            # make a whole run unreadable. What proves damage is a record of our version behind it: nobody who
            # writes a newer format goes back to ours.
            record, newer = search.next_record(position)
            if record is None and newer:
                raise StorageError(f"{source} was written by a newer version of agentos-otel: upgrade to read it")
        if record is None:
            if final:
                chunk.gaps.append((base + position, len(data) - position))
                chunk.next_offset = base + len(data)
            return chunk
        gap = record.offset - base - position
        if gap:
            chunk.gaps.append((base + position, gap))
        chunk.records.append(record)
        position += gap + record.size
        chunk.next_offset = base + position
    return chunk


def open_descriptor(path: Path | str, flags: int) -> int:
    """Open a journal's file by the flags of `os.open`.

    A link or a pipe that somebody planted in the directory is refused: to read a pipe would wait for ever, and to
    repair or erase behind a link would destroy what it points to.

    Raises:
        OSError: It cannot be opened, or is no plain file.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no plain file", str(path))
    return descriptor


def open_journal(path: Path, *, write: bool = False) -> BinaryIO:
    """Open a journal's file for reading, or for reading and writing; see `open_descriptor`."""
    descriptor = open_descriptor(path, os.O_RDWR if write else os.O_RDONLY)
    return open(descriptor, "r+b" if write else "rb")  # noqa: PTH123 - of a descriptor; the caller closes it


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
    with open_journal(path) as file:
        file.seek(offset)
        data = file.read(-1 if limit is None else limit)
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


def read_records(path: Path, places: Iterable[tuple[int, int]], base: int = 0) -> list[Record]:
    """Return the records that lie at `places` (offset, size); what no longer stands there is left out.

    Args:
        path: The file.
        places: Offsets from `base`, and sizes.
        base: Where in the file the segment begins that the offsets count from.

    Raises:
        OSError: The file cannot be read.
    """
    found = []
    wanted = sorted(places)
    descriptor = open_descriptor(path, os.O_RDONLY)  # no file object: it costs as much as reading a task
    try:
        for begin, end, group in _together(wanted):
            data = os.pread(descriptor, end - begin, base + begin)
            for offset, size in group:
                at = offset - begin
                record = _whole_at(data, at, begin) if at < len(data) else None  # the file may be shorter by now
                if record is not None and record[1] == VERSION and record[0].size <= size:
                    found.append(record[0])
    finally:
        os.close(descriptor)
    return found


def _together(places: list[tuple[int, int]]) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Yield begin, end and members of what is read at once: records of one run mostly lie close to each other."""
    group: list[tuple[int, int]] = []
    begin = end = 0
    for offset, size in places:
        if group and (offset > end + _GAP or end - begin > _PIECE):
            yield begin, end, group
            group = []
        if not group:
            begin = offset
        end = max(end, offset + size)
        group.append((offset, size))
    if group:
        yield begin, end, group


def find_records(path: Path, needle: bytes) -> Iterator[Record]:
    """Yield the intact records of a file in whose body `needle` occurs; files without it are not parsed.

    Raises:
        OSError: The file cannot be read.
        StorageError: The file was written by a newer version.
    """
    import mmap

    with open_journal(path) as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            return
        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as data:
            if data.find(needle) < 0:
                return
    offset = 0
    while True:
        chunk = read_file(path, offset, limit=_PIECE)
        yield from (record for record in chunk.records if needle in record.body)
        if chunk.next_offset == offset:
            return
        offset = chunk.next_offset


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
    with open_journal(path, write=True) as file:  # not O_APPEND: on Linux pwrite() would append then
        if os.pwrite(file.fileno(), record, offset) != size:
            raise OSError(f"the record at {offset} was erased in part only")
