"""Log records as OTLP protobuf, by hand."""

from __future__ import annotations

import logging
import struct
import traceback
from typing import Any, Final, Protocol

from agentos_otel import semconv
from agentos_otel.journal.encoding import any_value, field, key_value, text
from agentos_otel.journal.record import varint

_times: Final = struct.Struct("<BQ").pack

_flags: Final = struct.Struct("<BI").pack
_SCOPE: Final = field(1, field(1, text(semconv.SCOPE_NAME)))
_CODE_LINE_NUMBER: Final = "code.line.number"
_SEVERITIES: Final = ((50, 21), (40, 17), (30, 13), (20, 9), (10, 5))


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


def encode_log(
    record: logging.LogRecord,
    *,
    trace_id: str,
    span_id: str,
    trace_flags: int,
    task_id: str,
    session_id: str,
    resource: bytes,
    clean: Clean,
) -> tuple[bytes, bool]:
    """Return a `ResourceLogs` message with one record, and whether its text was cut.

    Args:
        record: The stdlib record.
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        trace_flags: W3C trace flags.
        task_id: Key of the task.
        session_id: Its session.
        resource: An encoded `Resource` message.
        clean: Cuts and redacts each text of the host's: message, exception, traceback.
    """
    body, was_cut = clean(message_of(record))
    exception, exception_cut = _exception(record, clean)
    attributes: dict[str, Any] = {
        semconv.TASK_ID: task_id,
        semconv.SESSION_ID: session_id,
        semconv.LOG_LOGGER_NAME: record.name,
        **({semconv.CODE_FUNCTION_NAME: record.funcName} if record.funcName else {}),
        **({_CODE_LINE_NUMBER: record.lineno} if record.lineno else {}),
        **exception,
    }
    time_ns = int(record.created * 1e9)
    encoded = b"".join(
        (
            _times(0x09, time_ns),
            b"\x10" + varint(severity_number(record.levelno)),
            field(3, text(str(record.levelname))),
            field(5, any_value(body)),
            *[field(6, key_value(key, value)) for key, value in attributes.items()],
            _flags(0x45, trace_flags),
            field(9, bytes.fromhex(trace_id)),
            field(10, bytes.fromhex(span_id)),
            _times(0x59, time_ns),
        )
    )
    return field(1, resource) + field(2, _SCOPE + field(2, encoded)), bool(was_cut or exception_cut)
