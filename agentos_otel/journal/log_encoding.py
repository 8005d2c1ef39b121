"""Log records as OTLP protobuf, by hand."""

from __future__ import annotations

import logging
import struct
import traceback
from collections.abc import Callable
from typing import Any, Final

from agentos_otel import semconv
from agentos_otel.journal.encoding import any_value, field, key_value, text
from agentos_otel.journal.record import varint

_times: Final = struct.Struct("<BQ").pack

_flags: Final = struct.Struct("<BI").pack
_SCOPE: Final = field(1, field(1, text(semconv.SCOPE_NAME)))
_SEVERITIES: Final = ((50, 21), (40, 17), (30, 13), (20, 9), (10, 5))


def severity_number(level: int) -> int:
    """Return the OTLP severity of a stdlib level (logs data model, appendix B)."""
    return next((number for least, number in _SEVERITIES if level >= least), 1)


def message_of(record: logging.LogRecord) -> str:
    """Return the formatted message; the bare template where the host's arguments do not fit it."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - whatever a host's argument does in str()
        return str(record.msg)


def encode_log(
    record: logging.LogRecord,
    *,
    trace_id: str,
    span_id: str,
    trace_flags: int,
    task_id: str,
    session_id: str,
    resource: bytes,
    clean: Callable[[str], tuple[str, int]],
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
        clean: Cuts and redacts a text; returns it and 1 if it was cut.
    """
    body, was_cut = clean(message_of(record))
    attributes: dict[str, Any] = {
        semconv.TASK_ID: task_id,
        semconv.SESSION_ID: session_id,
        semconv.LOG_LOGGER_NAME: record.name,
        semconv.CODE_FUNCTION_NAME: record.funcName or "",
    }
    if record.exc_info and record.exc_info[0] is not None:
        attributes[semconv.EXCEPTION_TYPE] = record.exc_info[0].__qualname__
        attributes[semconv.EXCEPTION_STACKTRACE] = clean("".join(traceback.format_exception(*record.exc_info)))[0]
    time_ns = int(record.created * 1e9)
    encoded = b"".join(
        (
            _times(0x09, time_ns),
            b"\x10" + varint(severity_number(record.levelno)),
            field(3, text(record.levelname)),
            field(5, any_value(body)),
            *[field(6, key_value(key, value)) for key, value in attributes.items()],
            _flags(0x45, trace_flags),
            field(9, bytes.fromhex(trace_id)),
            field(10, bytes.fromhex(span_id)),
            _times(0x59, time_ns),
        )
    )
    return field(1, resource) + field(2, _SCOPE + field(2, encoded)), bool(was_cut)
