"""Spans as OTLP protobuf, by hand: `ResourceSpans` bytes with cached keys and values.

The official encoder costs 53 µs a span under the GIL, this one 4 to 15 (measured). The wire format is stable
(OTLP 1.x), and tests hold every byte against the official decoder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from zlib import crc32

from agentos_otel.journal.record import CHECK_HEAD, TAGS, check, varint
from agentos_otel.semconv import SCHEMA_URL, SCOPE_NAME

_double: Final = struct.Struct("<d").pack
_times: Final = struct.Struct("<BQBQ").pack
_fixed64: Final = struct.Struct("<Q").pack
_flags: Final = struct.Struct("<I").pack
_U64: Final = (1 << 64) - 1
_CACHE_LIMIT: Final = 8192
_CACHED_TEXT: Final = 128
_PREFIX_LIMIT: Final = 1024

_attributes: dict[tuple[str, object, type], bytes] = {}
_float_heads: dict[str, bytes] = {}
_names: dict[str, bytes] = {}


def field(number: int, body: bytes) -> bytes:
    """Return a length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(len(body)) + body


def text(value: str) -> bytes:
    """Return UTF-8 that any decoder takes: lone surrogates (from undecodable file names) are replaced."""
    return value.encode("utf-8", "replace")


def any_value(value: object, depth: int = 0) -> bytes:
    """Return `value` as an `AnyValue` message; what has no OTLP type becomes its `str()`."""
    kind = type(value)
    if isinstance(value, str):
        return field(1, text(value))
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if kind is int and -(1 << 63) <= value < 1 << 63:  # type: ignore[operator]
        return b"\x18" + varint(value & _U64)  # type: ignore[operator]
    if kind is float:
        return b"\x21" + _double(value)
    if isinstance(value, bytes):
        return field(7, value)
    if depth < 4 and isinstance(value, Mapping):
        items = (field(1, text(str(key))) + field(2, any_value(item, depth + 1)) for key, item in value.items())
        return field(6, b"".join(field(1, item) for item in items))
    if depth < 4 and isinstance(value, (list, tuple)):
        return field(5, b"".join(field(1, any_value(item, depth + 1)) for item in value))
    return field(1, text(str(value)))


def key_value(key: str, value: object) -> bytes:
    """Return a `KeyValue` message."""
    return field(1, text(key)) + field(2, any_value(value))


def attributes(values: Mapping[str, object]) -> bytes:
    """Return all of `values` as attribute fields of a span; what is short can come again, and is encoded once."""
    out: list[bytes] = []
    for key, value in values.items():
        kind = type(value)
        if (kind is str and len(value) <= _CACHED_TEXT) or kind is int or kind is bool:  # type: ignore[arg-type]
            try:
                out.append(_attributes[key, value, kind])
            except KeyError:
                encoded = field(9, key_value(key, value))
                if len(_attributes) >= _CACHE_LIMIT:
                    _attributes.clear()
                _attributes[key, value, kind] = encoded
                out.append(encoded)
        elif kind is float:  # of one key all as long: costs and times differ from call to call, their keys do not
            head = _float_heads.get(key) or _float_head(key)
            out.append(head + _double(value))
        elif kind is str:
            out += _long_text(key, value)  # type: ignore[arg-type]
        else:
            out.append(field(9, key_value(key, value)))
    return b"".join(out)


def unique_attributes(values: Mapping[str, object]) -> bytes:
    """Return `values` encoded, without keeping that: the ids of a task come once, and would only fill the cache."""
    return b"".join([field(9, key_value(key, value)) for key, value in values.items()])


def _long_text(key: str, value: str) -> tuple[bytes, ...]:
    """Return the parts of a text's attribute: a captured page is not copied once for each message it stands in."""
    body = text(value)
    named = field(1, text(key))
    size = varint(len(body))
    inner = len(body) + len(size) + 1
    head = b"".join((named, b"\x12", varint(inner), b"\x0a", size))
    return b"\x4a", varint(len(head) + len(body)), head, body


def _float_head(key: str) -> bytes:
    """Return what stands before the eight bytes of a float's attribute."""
    whole = field(9, key_value(key, 0.0))
    if len(_float_heads) < _CACHE_LIMIT:
        _float_heads[key] = whole[:-8]
    return whole[:-8]


def resource(values: Mapping[str, object]) -> bytes:
    """Return `values` as a `Resource` message."""
    return b"".join(field(1, key_value(key, value)) for key, value in values.items())


def scope_fields(name: str, version: str, schema_url: str) -> bytes:
    """Return the fields of a `ScopeSpans` apart from its spans; without version or schema where they are empty."""
    named = field(1, text(name)) + (field(2, text(version)) if version else b"")
    return field(1, named) + (field(3, text(schema_url)) if schema_url else b"")


class Event(NamedTuple):
    """A span event: time in Unix nanoseconds, name, attributes."""

    time_ns: int
    name: str
    attributes: Mapping[str, object]


class Link(NamedTuple):
    """A span link: ids as bytes (16 and 8), attributes."""

    trace_id: bytes
    span_id: bytes
    attributes: Mapping[str, object]


def events(values: Iterable[Event]) -> bytes:
    """Return the event fields of a span (number 11)."""
    out = []
    for event in values:
        pairs = b"".join(field(3, key_value(key, value)) for key, value in event.attributes.items())
        out.append(field(11, b"\x09" + _fixed64(event.time_ns) + field(2, text(event.name)) + pairs))
    return b"".join(out)


def links(values: Iterable[Link]) -> bytes:
    """Return the link fields of a span (number 13)."""
    out = []
    for link in values:
        pairs = b"".join(field(4, key_value(key, value)) for key, value in link.attributes.items())
        out.append(field(13, field(1, link.trace_id) + field(2, link.span_id) + pairs))
    return b"".join(out)


def status(code: int, description: str = "") -> bytes:
    """Return the status field of a span (number 15); code 0 unset, 1 ok, 2 error."""
    if not code:
        return b""
    body = (field(2, text(description)) if description else b"") + b"\x18" + varint(code)
    return field(15, body)


def name(value: str, kind: int) -> bytes:
    """Return the name and kind fields of a span (numbers 5 and 6), cached; kind as in OTLP (1 internal)."""
    entry = _names.get(value)
    if entry is None:
        entry = field(5, text(value))
        if len(_names) < _CACHE_LIMIT:
            _names[value] = entry
    return entry + b"\x30" + varint(kind)


def identity(trace_id: bytes) -> bytes:
    """Return the trace id field of a span and the head of the span id field that follows it."""
    return b"\x0a\x10" + trace_id + b"\x12\x08"


class SpanEncoder:
    """Encodes spans of one process: resource and scope are encoded once and repeated on each record.

    Args:
        resource_attributes: The small resource that each record carries.
        scope: Name of the instrumentation scope.
        version: Its version; empty for none.
        schema_url: Of the scope; empty for none.
    """

    __slots__ = ("_prefixes", "_resource", "_scope", "resource", "resource_attributes")

    def __init__(
        self,
        resource_attributes: Mapping[str, object],
        scope: str = SCOPE_NAME,
        version: str = "",
        schema_url: str = SCHEMA_URL,
    ) -> None:
        self.resource_attributes = resource_attributes
        self.resource = resource(resource_attributes)
        self._resource = field(1, self.resource) + b"\x12"
        self._scope = scope_fields(scope, version, schema_url) + b"\x12"
        self._prefixes: dict[tuple[int, int], tuple[bytes, int]] = {}

    def with_scope(self, scope: str, version: str, schema_url: str) -> SpanEncoder:
        """Return an encoder of the same resource for spans of another scope."""
        return SpanEncoder(self.resource_attributes, scope, version, schema_url)

    def record(self, number: int, parts: Iterable[bytes]) -> bytes:
        """Return the record of the journal, in field `number`, with the one span that `parts` make up."""
        body = b"".join(parts)
        # All that stands before the span depends on its length alone, and few lengths come again and again: neither
        # put together nor summed up a second time on the host's hot path.
        prefix = self._prefixes.get((number, len(body))) or self._prefix(number, len(body))
        return b"".join((prefix[0], body, CHECK_HEAD, check(body, prefix[1])))

    def _prefix(self, number: int, size: int) -> tuple[bytes, int]:
        """Return what stands before a span of `size` bytes, and its sum."""
        scope = self._scope + varint(size)
        scoped = self._resource + varint(len(scope) + size) + scope
        prefix = TAGS[number] + varint(len(scoped) + size) + scoped
        if len(self._prefixes) >= _PREFIX_LIMIT:
            self._prefixes.clear()
        found = self._prefixes[number, size] = prefix, crc32(prefix)
        return found


def times(start_ns: int, end_ns: int) -> bytes:
    """Return the start and end fields of a span, in Unix nanoseconds; end 0 for a span that has not ended."""
    return _times(0x39, start_ns, 0x41, end_ns)


SAMPLED: Final = b"\x85\x01" + _flags(1)
"""The flags field of a span: W3C trace flags, sampled."""
PARENT: Final = b"\x22\x08"
"""The head of the parent id field of a span."""


def head(trace_id: bytes, span_id: bytes, parent_id: bytes, named: bytes, start_ns: int, end_ns: int) -> bytes:
    """Return the fields that every span has; the hot path of `tracing.span` puts the same together by itself.

    Args:
        trace_id: 16 bytes.
        span_id: 8 bytes.
        parent_id: 8 bytes, or empty for a root.
        named: What `name()` gives.
        start_ns: Unix nanoseconds.
        end_ns: Unix nanoseconds; 0 for a span that has not ended.
    """
    parent = PARENT + parent_id if parent_id else b""
    return b"".join((identity(trace_id), span_id, parent, named, times(start_ns, end_ns), SAMPLED))


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Return a statement (field 12) as compact JSON."""
    import json

    return json.dumps(value, separators=(",", ":"), default=str).encode()
