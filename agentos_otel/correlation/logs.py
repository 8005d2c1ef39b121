"""Ids on every stdlib log record made inside a task, whatever handler; and formatters that show them."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from agentos_otel import guard, semconv


class LogContext(NamedTuple):
    """The ids of the place where a record is made."""

    trace_id: str
    span_id: str
    trace_flags: int
    task_id: str
    session_id: str


FIELDS: Final = (
    semconv.LOG_TRACE_ID,
    semconv.LOG_SPAN_ID,
    semconv.LOG_TRACE_FLAGS,
    semconv.TASK_ID,
    semconv.SESSION_ID,
)
NOWHERE: Final = ("", "", 0, "", "")

_bare: Callable[..., logging.LogRecord] | None = None
_busy = threading.local()


def install(
    current: Callable[[], LogContext | None], sink: Callable[[logging.LogRecord, LogContext], None] | None
) -> None:
    """Wrap `Logger.makeRecord`; idempotent.

    Not a record factory: setting `task_id` there makes a host's own `extra={"task_id": …}` raise. Not a filter on
    handlers: it misses handlers that are added later. Fields that the host gave stay as they are.

    Args:
        current: Gives the ids at the place of the call, or None outside any task.
        sink: Keeps the record; what it logs itself is not handed to it again.
    """
    global _bare  # noqa: PLW0603 - the one function that is wrapped
    if _bare is not None:
        return
    bare = _bare = logging.Logger.makeRecord

    def make_record(self: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = bare(self, *args, **kwargs)
        if getattr(_busy, "on", False) or self.name == guard.logger.name:
            return record
        _busy.on = True
        try:
            context = current()
            for key, value in zip(FIELDS, context or NOWHERE, strict=True):
                record.__dict__.setdefault(key, value)
            if context is not None and sink is not None:
                sink(record, context)
        except Exception as error:  # noqa: BLE001 - the host's log line goes on
            guard.failed("joining a log record", error)
        finally:
            _busy.on = False
        return record

    logging.Logger.makeRecord = make_record  # type: ignore[method-assign]


def uninstall() -> None:
    """Give `Logger.makeRecord` back as it was."""
    global _bare  # noqa: PLW0603 - the one function that is wrapped
    if _bare is not None:
        logging.Logger.makeRecord = _bare  # type: ignore[method-assign]
        _bare = None


class TextFormatter(logging.Formatter):
    """Log lines that end in the ids of the place where they were made."""

    def __init__(self, fmt: str | None = None, datefmt: str | None = None) -> None:
        line = fmt or "%(asctime)s %(levelname)s %(name)s: %(message)s"
        defaults: dict[str, Any] = dict(zip(FIELDS, NOWHERE, strict=True))
        super().__init__(
            f"{line} [task_id=%(task_id)s trace_id=%(trace_id)s span_id=%(span_id)s]", datefmt, defaults=defaults
        )


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339), severity, logger, message, ids, exception, the host's extra fields."""

    _STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", *FIELDS}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; what JSON cannot hold becomes text."""
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "severity": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({key: record.__dict__.get(key, value) for key, value in zip(FIELDS, NOWHERE, strict=True)})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        line.update({key: value for key, value in record.__dict__.items() if key not in self._STANDARD})
        return json.dumps(line, default=_text, ensure_ascii=False)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - whatever a host's __str__ does
        return f"<{type(value).__qualname__}>"
