"""One record of the journal: a protobuf field followed by a check field.

An intact file is a valid serialised `opentelemetry.proto.trace.v1.TracesData`: field 1 is its `resource_spans`, and
decoders skip the other fields. The check is what protobuf lacks: without it two of three single-bit faults go unseen,
and there is no place to go on after a damage.

    payload   tag, varint length, body        fields 1, 11, 12, 13, 14 (wire type 2)
    check     0x79, mark (2 bytes), 0x00 0x00, CRC-32 of the payload (little endian)     field 15 (fixed64)

The two zero bytes are the format's version: a reader refuses others with a clear line.
"""

from __future__ import annotations

import struct
from typing import Final
from zlib import crc32

ENDED_SPAN: Final = 1
"""An ended span, as `ResourceSpans`; what the forwarder sends."""
LOCAL_SPAN: Final = 11
"""An ended span that goes to its destination by the host's own exporter: kept here, never forwarded."""
STATEMENT: Final = 12
"""What else a run must say: one JSON object (an operation on the task store, its resource, its end, what it lost)."""
STARTED_SPAN: Final = 13
"""A span that began, as `ResourceSpans` with an end time of zero."""
LOG_RECORD: Final = 14
"""A log record, as `ResourceLogs`."""

FIELDS: Final = (ENDED_SPAN, LOCAL_SPAN, STATEMENT, STARTED_SPAN, LOG_RECORD)
ENDED_SPANS: Final = (ENDED_SPAN, LOCAL_SPAN)
TAGS: Final = {field: bytes([field << 3 | 2]) for field in FIELDS}
MAX_RECORD: Final = 2 << 20
"""Bytes of the largest record that is written; gRPC takes 4 MiB in one request."""
CHECK_TAG: Final = 15 << 3 | 1
MARK: Final = b"\xa9\x0f"
VERSION: Final = b"\x00\x00"
CHECK_HEAD: Final = bytes([CHECK_TAG]) + MARK + VERSION
CHECK_SIZE: Final = 9

_crc: Final = struct.Struct("<I").pack


def varint(number: int) -> bytes:
    """Return `number` (not negative) as a protobuf varint."""
    if number < 0x80:
        return bytes((number,))
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the varint at `at`, and where the next byte stands.

    Raises:
        ValueError: It is longer than any number can be.
        IndexError: It runs over the end of `data`.
    """
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def check(body: bytes, before: int) -> bytes:
    """Return the last four bytes of a record: the sum of its payload, which is `before` up to `body`."""
    return _crc(crc32(body, before))


def frame(field: int, body: bytes) -> bytes:
    """Return the record that carries `body` in `field` (one of `FIELDS`), check included."""
    head = TAGS[field] + varint(len(body))
    return b"".join((head, body, CHECK_HEAD, check(body, crc32(head))))
