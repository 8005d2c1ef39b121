"""Ids of encoded spans and log records, read off the wire: the index needs no more, and decoding costs ten times that.

Only the path to the ids is walked: `ResourceSpans` or `ResourceLogs`, its scopes, their spans or records. What lies
beside it is stepped over unread.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from agentos_otel.journal.record import LOG_RECORD, STATEMENT, read_varint

_SCOPES: Final = 2 << 3 | 2
"""`scope_spans` of `ResourceSpans`, `scope_logs` of `ResourceLogs`; in a scope: `spans`, `log_records`."""
_NO_SPANS: Final = (STATEMENT, LOG_RECORD)
_TRACE_ID_HEAD: Final = b"\x0a\x10"
_SPAN_ID_HEAD: Final = b"\x12\x08"
_MOST_HEADS: Final = 4096
_START: Final = 7 << 3 | 1
"""`start_time_unix_nano` of a span."""
_SPAN_TAGS: Final = (1 << 3 | 2, 2 << 3 | 2)
_LOG_TAGS: Final = (9 << 3 | 2, 10 << 3 | 2)


Ids: TypeAlias = tuple[bytes, bytes]
"""Trace id (16 bytes where it is valid) and span id (8 bytes); empty where the message does not say."""


def ids_of(field: int, body: bytes) -> list[Ids]:
    """Return the ids of every span or log record in a record of the journal; none of a statement.

    Args:
        field: Field of the record.
        body: Its body.

    Raises:
        ValueError: The body is no such message.
    """
    if field == STATEMENT:
        return []
    tags = _LOG_TAGS if field == LOG_RECORD else _SPAN_TAGS
    return [_ids(body, *place, tags) for place in _places(body)]


class Scanner:
    """Reads ids as `ids_of` does, of many records of few runs.

    A run repeats what stands before the span, byte by byte where the span is as long: seen once, it says where the
    ids are.
    """

    def __init__(self) -> None:
        self._heads: dict[int, bytes] = {}

    def ids_of(self, field: int, body: bytes) -> list[Ids]:
        """Return the ids of a record; see the function."""
        size = len(body)
        head = self._heads.get(size)
        if head is not None and field not in _NO_SPANS and body.startswith(head):
            at = len(head)
            if body[at + 16 : at + 18] == _SPAN_ID_HEAD:
                return [(body[at : at + 16], body[at + 18 : at + 26])]
        if field not in _NO_SPANS:
            places = _places(body)
            # The lengths in the head make this span the only one in any record of this length.
            if len(places) == 1 and places[0][1] == size and body.startswith(_TRACE_ID_HEAD, places[0][0]):
                if len(self._heads) > _MOST_HEADS:
                    self._heads.clear()
                self._heads[size] = body[: places[0][0] + 2]
        return ids_of(field, body)


def start_of(body: bytes) -> int:
    """Return when the first span of a `ResourceSpans` message began (Unix nanoseconds), 0 if it does not say.

    Raises:
        ValueError: The body is no such message.
    """
    try:
        return next((_start(body, *place) for place in _places(body)), 0)
    except IndexError:
        raise ValueError("a span is cut off") from None


def _places(body: bytes) -> list[tuple[int, int]]:
    """Return where the spans or log records of a message lie."""
    try:
        return [place for scope in _messages(body, 0, len(body)) for place in _messages(body, *scope)]
    except IndexError:
        raise ValueError("a message is cut off") from None


def _after(data: bytes, at: int, tag: int) -> int:
    """Return where the field ends whose tag, read up to `at`, has no length."""
    wire_type = tag & 7
    if wire_type == 0:
        return read_varint(data, at)[1]
    if wire_type == 1:
        return at + 8
    if wire_type == 5:
        return at + 4
    raise ValueError(f"wire type {wire_type} is none of OTLP")


# The two loops below run a million times a minute: a tag or a length of one byte is read in place, without a call.


def _messages(data: bytes, at: int, end: int) -> list[tuple[int, int]]:
    """Return where the messages in field 2 of the one from `at` to `end` lie."""
    found = []
    while at < end:
        tag = data[at]
        at += 1
        if tag > 0x7F:
            tag, at = read_varint(data, at - 1)
        if tag & 7 == 2:
            length = data[at]
            at += 1
            if length > 0x7F:
                length, at = read_varint(data, at - 1)
            if tag == _SCOPES:
                found.append((at, at + length))
            at += length
        else:
            at = _after(data, at, tag)
    if at != end:
        raise ValueError("a field reaches beyond its message")
    return found


def _ids(data: bytes, at: int, end: int, tags: tuple[int, int]) -> Ids:
    """Return the ids of one span or log record; what follows both of them is not looked at."""
    trace_tag, span_tag = tags
    trace_id = span_id = b""
    while at < end and not (trace_id and span_id):
        tag = data[at]
        at += 1
        if tag > 0x7F:
            tag, at = read_varint(data, at - 1)
        if tag & 7 == 2:
            length = data[at]
            at += 1
            if length > 0x7F:
                length, at = read_varint(data, at - 1)
            if tag == trace_tag:
                trace_id = data[at : at + length]
            elif tag == span_tag:
                span_id = data[at : at + length]
            at += length
        else:
            at = _after(data, at, tag)
    if at > end:
        raise ValueError("a field reaches beyond its message")
    return trace_id, span_id


def _start(data: bytes, at: int, end: int) -> int:
    """Return the start of one span."""
    while at < end:
        tag, at = read_varint(data, at)
        if tag == _START:
            return int.from_bytes(data[at : at + 8], "little")
        if tag & 7 == 2:
            length, at = read_varint(data, at)
            at += length
        else:
            at = _after(data, at, tag)
    return 0
