"""Folds the spans of many records under one header for each resource and scope, without decoding a span.

A record of the journal repeats its resource and scope, so that each stands for itself; on the wire they are named once.
Spans are cut out of their records at the borders of their fields and sent as they are: what is compared is bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from agentos_otel.journal.encoding import field
from agentos_otel.journal.record import read_varint, varint

_LENGTH_DELIMITED: Final = 2
_FIXED_SIZES: Final = {1: 8, 5: 4}
_TRACE_ID: Final = b"\x0a\x10"
_SPAN_ID: Final = b"\x12\x08"
_MAX_CUTS: Final = 1024
GROUP_OVERHEAD: Final = 24
"""Bytes that the tags and lengths of one group's two headers take at most."""


class Piece(NamedTuple):
    """One span and what it stands under, all as encoded fields.

    Attributes:
        resource: The fields of its `ResourceSpans` apart from the scopes.
        scope: The fields of its `ScopeSpans` before the first span.
        tail: The fields of its `ScopeSpans` after that (others write the schema's URL there).
        span: The span, tag and length included.
    """

    resource: bytes
    scope: bytes
    tail: bytes
    span: bytes

    @property
    def trace_id(self) -> bytes:
        """The 16 bytes of it; empty where the span does not begin with them."""
        at = read_varint(self.span, 1)[1]
        return self.span[at + 2 : at + 18] if self.span.startswith(_TRACE_ID, at) else b""

    @property
    def span_id(self) -> bytes:
        """The 8 bytes of it; empty where they do not follow the trace's id."""
        at = read_varint(self.span, 1)[1] + 18
        return self.span[at + 2 : at + 10] if self.span.startswith(_SPAN_ID, at) else b""


class _Cut(NamedTuple):
    """Where the span of a record of some length begins: what stands before its value, its own place, its headers."""

    before: bytes
    begin: int
    resource: bytes
    scope: bytes


def fields(data: bytes, position: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int, int]]:
    """Yield the fields of a message as (number, begin with its tag, begin of its value, end).

    Raises:
        ValueError: The bytes are no message.
    """
    end = len(data) if end is None else end
    try:
        while position < end:
            begin = position
            tag, position = read_varint(data, position)
            kind = tag & 7
            value = position
            if kind == _LENGTH_DELIMITED:
                length, value = read_varint(data, position)
                position = value + length
            elif kind == 0:
                _, position = read_varint(data, position)
            else:
                position += _FIXED_SIZES[kind]
            if position > end or not tag >> 3:
                raise ValueError("a field runs over the end of its message")
            yield tag >> 3, begin, value, position
    except (IndexError, KeyError) as error:
        raise ValueError("the bytes are no protobuf message") from error


def pieces(body: bytes) -> Iterator[Piece]:
    """Yield the spans of a `ResourceSpans` message.

    Raises:
        ValueError: The bytes are no such message.
    """
    parts = list(fields(body))
    resource = b"".join(body[begin:end] for number, begin, _, end in parts if number != 2)
    for number, begin, value, end in parts:
        if _is_message(body, number, begin):
            inner = list(fields(body, value, end))
            first = next((b for n, b, _, _ in inner if _is_message(body, n, b)), end)
            scope = b"".join(body[b:e] for n, b, _, e in inner if n != 2 and b < first)
            tail = b"".join(body[b:e] for n, b, _, e in inner if n != 2 and b > first)
            for n, b, _, e in inner:
                if _is_message(body, n, b):
                    yield Piece(resource, scope, tail, body[b:e])


def _is_message(body: bytes, number: int, begin: int) -> bool:
    """Whether a field holds a `ScopeSpans`, or a span: to decoders, a number in its place is a field unknown."""
    return number == 2 and body[begin] & 7 == _LENGTH_DELIMITED


class Splitter:
    """Cuts spans out of the records of one run, under the run's whole resource.

    What stands before the span of a record depends on the record's length alone, as long as it is of one scope: a
    record that begins as one of its length did before is cut by one comparison, not field by field.

    Args:
        run_id: Id of the run, which its own records have in their resource; others keep what they have.
        header: The run's whole resource, as the first field of a `ResourceSpans`; None leaves each its own.
    """

    __slots__ = ("_cuts", "_header", "_run_id")

    def __init__(self, run_id: bytes = b"", header: bytes | None = None) -> None:
        self._run_id = run_id
        self._header = header
        self._cuts: dict[int, _Cut] = {}

    @property
    def header(self) -> bytes | None:
        """The run's whole resource."""
        return self._header

    @header.setter
    def header(self, header: bytes | None) -> None:
        self._header = header
        self._cuts.clear()

    def split(self, body: bytes) -> list[Piece]:
        """Return the spans of `body`, a `ResourceSpans` message.

        Raises:
            ValueError: The bytes are no such message.
        """
        cut = self._cuts.get(len(body))
        if cut is not None and body.startswith(cut.before):
            return [Piece(cut.resource, cut.scope, b"", body[cut.begin :])]
        found = [piece._replace(resource=self._whole(piece.resource)) for piece in pieces(body)]
        if len(found) == 1 and body.endswith(found[0].span):
            self._remember(body, found[0])
        return found

    def _remember(self, body: bytes, piece: Piece) -> None:
        begin = len(body) - len(piece.span)
        if len(self._cuts) >= _MAX_CUTS:
            self._cuts.clear()
        # Equal headers become one object, so that neighbours are known to share them without a comparison.
        known = next(iter(self._cuts.values()), None)
        resource = known.resource if known is not None and known.resource == piece.resource else piece.resource
        scope = known.scope if known is not None and known.scope == piece.scope else piece.scope
        value = read_varint(body, begin + 1)[1]
        self._cuts[len(body)] = _Cut(body[:value], begin, resource, scope)

    def _whole(self, resource: bytes) -> bytes:
        return self._header if self._header and self._run_id and self._run_id in resource else resource


def request(spans: list[Piece]) -> bytes:
    """Return an `ExportTraceServiceRequest` with `spans`, each resource and each of its scopes named once."""
    resources: dict[bytes, dict[tuple[bytes, bytes], list[bytes]]] = {}
    resource = scope = tail = None
    group: list[bytes] = []
    for piece in spans:
        # Neighbours nearly always share their header, mostly as one object: no look-up then.
        if piece.resource is not resource or piece.scope is not scope or piece.tail is not tail:
            resource, scope, tail = piece.resource, piece.scope, piece.tail
            group = resources.setdefault(resource, {}).setdefault((scope, tail), [])
        group.append(piece.span)
    out = []
    for header, scopes in resources.items():
        messages = [field(2, b"".join((scope, *members, tail))) for (scope, tail), members in scopes.items()]
        size = len(header) + sum(map(len, messages))
        out.append(b"".join((b"\x0a", varint(size), header, *messages)))
    return b"".join(out)
