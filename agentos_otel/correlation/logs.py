"""Ids on every stdlib log record made inside a task, whatever handler; and formatters that show them."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from agentos_otel import guard, semconv
from agentos_otel.journal.log_encoding import encode_context
from agentos_otel.tracing.limits import printable


class LogContext:
    """The ids of the place where a record is made; one object serves all records of a span.

    Args:
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        trace_flags: W3C trace flags.
        task_id: Key of the task.
        session_id: Its session.
    """

    __slots__ = ("_encoded", "session_id", "span_id", "task_id", "trace_flags", "trace_id")

    def __init__(self, trace_id: str, span_id: str, trace_flags: int, task_id: str, session_id: str) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.trace_flags = trace_flags
        self.task_id = task_id
        self.session_id = session_id
        self._encoded = b""

    def fields(self) -> dict[str, Any]:
        """Return the ids as attributes of a record."""
        return {name: getattr(self, name) for name in FIELDS}

    def encoded(self) -> bytes:
        """Return the ids as the journal has them."""
        if not self._encoded:
            self._encoded = encode_context(**self.fields())
        return self._encoded


FIELDS: Final = (
    semconv.LOG_TRACE_ID,
    semconv.LOG_SPAN_ID,
    semconv.LOG_TRACE_FLAGS,
    semconv.TASK_ID,
    semconv.SESSION_ID,
)
NOWHERE: Final = LogContext("", "", 0, "", "")

_OURS: Final = f"{guard.logger.name}."
_bare: Callable[..., logging.LogRecord] | None = None
_hook: Callable[..., logging.LogRecord] | None = None
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
    global _bare, _hook  # noqa: PLW0603 - the one function that is wrapped
    if _hook is not None:
        return
    bare = _bare = logging.Logger.makeRecord

    def make_record(  # noqa: PLR0913, PLR0917 - as the one it stands for; `*args` would cost every line of the host's
        self: logging.Logger,
        name: str,
        level: int,
        fn: str,
        lno: int,
        msg: object,
        args: Any,
        exc_info: Any,
        func: str | None = None,
        extra: Mapping[str, object] | None = None,
        sinfo: str | None = None,
    ) -> logging.LogRecord:
        record = bare(self, name, level, fn, lno, msg, args, exc_info, func, extra, sinfo)
        if _hook is not make_record:
            return record
        context = None
        try:
            context = current()
            if context is not None and sink is not None and not getattr(_busy, "on", False) and not _is_ours(name):
                _busy.on = True  # what the sink logs is not handed to it again
                try:
                    sink(record, context)
                finally:
                    _busy.on = False
        except Exception as error:  # noqa: BLE001 - the host's log line goes on
            guard.failed("joining a log record", error)
        found = context or NOWHERE
        if extra is None and logging.getLogRecordFactory() is logging.LogRecord:
            # Nothing of the host's can stand there. Five stores: touching `__dict__` would cost five times as much.
            record.trace_id = found.trace_id
            record.span_id = found.span_id
            record.trace_flags = found.trace_flags
            record.task_id = found.task_id
            record.session_id = found.session_id
        else:
            for key, value in found.fields().items():
                record.__dict__.setdefault(key, value)  # the host's own win
        return record

    _hook = make_record
    logging.Logger.makeRecord = make_record  # type: ignore[method-assign]


def _is_ours(name: str) -> bool:
    return name == guard.logger.name or name.startswith(_OURS)


def uninstall() -> None:
    """Give `Logger.makeRecord` back as it was.

    Where somebody has wrapped it after us, ours stays below theirs and only calls on: putting the original back
    would throw their wrapper away.
    """
    global _bare, _hook  # noqa: PLW0603 - the one function that is wrapped
    if _bare is not None and logging.Logger.makeRecord is _hook:
        logging.Logger.makeRecord = _bare  # type: ignore[method-assign]
    _bare = _hook = None


class TextFormatter(logging.Formatter):
    """Log lines that end in the ids of the place where they were made."""

    _LINES: Final = {
        "%": (
            "%(asctime)s %(levelname)s %(name)s: %(message)s",
            " [task_id=%(task_id)s trace_id=%(trace_id)s span_id=%(span_id)s]",
        ),
        "{": (
            "{asctime} {levelname} {name}: {message}",
            " [task_id={task_id} trace_id={trace_id} span_id={span_id}]",
        ),
        "$": (
            "$asctime $levelname $name: $message",
            " [task_id=$task_id trace_id=$trace_id span_id=$span_id]",
        ),
    }

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        validate: bool = True,
        *,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        line, ids = self._LINES.get(style, ("", ""))  # an unknown style is the base class's to refuse
        known = {**NOWHERE.fields(), **(defaults or {})}
        super().__init__((fmt or line) + ids, datefmt, style, validate, defaults=known)


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
        for key, value in NOWHERE.fields().items():
            line[key] = _plain(record.__dict__.get(key, value))
        exception = self.formatException(record.exc_info) if record.exc_info else record.exc_text
        if exception:
            line["exception"] = exception
        for name, value in record.__dict__.items():
            if name not in self._STANDARD:
                # A host's own `logger` or `severity` may not hide the record's, nor be lost.
                line[f"extra.{name}" if name in line else name] = _plain(value)
        # A lone surrogate (an undecodable file name) stays one under ensure_ascii=False, and the handler's stream
        # refuses the line; as `\udcXX` it is JSON.
        return json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _plain(value: object) -> object:
    """Return `value` if JSON can hold it, else as text.

    Not `json.dumps(default=…)` for the whole line: a key that is no text, a cycle and NaN never reach it.
    """
    if value is None or type(value) in (str, int, bool):
        return value
    try:
        return json.loads(json.dumps(value, default=printable, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return printable(value)
