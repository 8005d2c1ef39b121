"""Log records as OTLP protobuf, by hand."""

from __future__ import annotations

import logging
import struct
import traceback
from collections.abc import Mapping
from typing import Final, Protocol

from agentos_otel import semconv
from agentos_otel.journal.encoding import field, key_value, text
from agentos_otel.journal.record import varint

_observed: Final = struct.Struct("<BQBQ").pack
_flags: Final = struct.Struct("<BI").pack
_CODE_LINE_NUMBER: Final = "code.line.number"
_SEVERITIES: Final = ((50, 21), (40, 17), (30, 13), (20, 9), (10, 5))
_CACHE_LIMIT: Final = 4096

_places: dict[tuple[object, ...], bytes] = {}


class Clean(Protocol):
    """What cuts and redacts a text of the host's."""

    def __call__(self, text: str, /, *, keep_end: bool = False) -> tuple[str, int]:
        """Return what is kept of `text` (its end if `keep_end`, else its beginning), and 1 if it was cut."""
        ...


def severity_number(level: int) -> int:
    """Return the OTLP severity of a stdlib level (logs data model, appendix B)."""
    return next((number for least, number in _SEVERITIES if level >= least), 1)


def message_of(record: logging.LogRecord) -> str:
    """Return the formatted message; the bare template where the host's arguments do not fit it."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - whatever a host's argument does in str()
        return _printable(record.msg)


def _printable(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a message may be any object, and its str() fail where getMessage() did
        return f"<{type(value).__qualname__}>"


def _qualified_name(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _exception(record: logging.LogRecord, clean: Clean) -> tuple[dict[str, str], int]:
    """Return the attributes of the record's exception, and whether one was cut."""
    if not record.exc_info or record.exc_info[0] is None:
        return {}, 0
    kind, error, _ = record.exc_info
    message, message_cut = clean(_printable(error))
    # Of a traceback the end tells most: the frame that raised, and the exception.
    stack, stack_cut = clean("".join(traceback.format_exception(*record.exc_info)), keep_end=True)
    attributes = {
        semconv.EXCEPTION_TYPE: _qualified_name(kind),
        semconv.EXCEPTION_MESSAGE: message,
        semconv.EXCEPTION_STACKTRACE: stack,
    }
    return attributes, message_cut or stack_cut


def _attributes(values: Mapping[str, object]) -> bytes:
    return b"".join([field(6, key_value(key, value)) for key, value in values.items()])


def _place(record: logging.LogRecord) -> bytes:
    """Return severity, logger, function and line, encoded once for each line of code that logs."""
    key = (record.name, record.levelno, record.levelname, record.funcName, record.lineno)
    entry = _places.get(key)
    if entry is None:
        values: dict[str, object] = {semconv.LOG_LOGGER_NAME: record.name}
        if record.funcName:
            values[semconv.CODE_FUNCTION_NAME] = record.funcName
        if record.lineno:
            values[_CODE_LINE_NUMBER] = record.lineno
        severity = b"\x10" + varint(severity_number(record.levelno)) + field(3, text(str(record.levelname)))
        entry = severity + _attributes(values)
        if len(_places) < _CACHE_LIMIT:
            _places[key] = entry
    return entry


def _body(message: str) -> bytes:
    """Return the body of a record; most are one short line, whose lengths are one byte each."""
    encoded = text(message)
    size = len(encoded)
    return bytes((0x2A, size + 2, 0x0A, size)) + encoded if size < 0x7E else field(5, field(1, encoded))


def encode_context(trace_id: str, span_id: str, trace_flags: int, task_id: str, session_id: str) -> bytes:
    """Return what all log records of one span share, encoded.

    Args:
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        trace_flags: W3C trace flags.
        task_id: Key of the task.
        session_id: Its session.
    """
    ids = field(9, bytes.fromhex(trace_id)) + field(10, bytes.fromhex(span_id))
    return _flags(0x45, trace_flags) + ids + _attributes({semconv.TASK_ID: task_id, semconv.SESSION_ID: session_id})


def log_parts(record: logging.LogRecord, context: bytes, clean: Clean) -> tuple[list[bytes], bool]:
    """Return the fields of a log record, and whether its text was cut.

    Args:
        record: The stdlib record.
        context: What `encode_context` gives.
        clean: Cuts and redacts each text of the host's: message, exception, traceback.
    """
    body, was_cut = clean(message_of(record))
    time_ns = int(record.created * 1e9)
    parts = [
        _observed(0x09, time_ns, 0x59, time_ns),
        _place(record),
        _body(body),
        context,
    ]
    if record.exc_info:
        exception, exception_cut = _exception(record, clean)
        parts.append(_attributes(exception))
        was_cut = was_cut or exception_cut
    return parts, bool(was_cut)
