"""Ids on log records: whatever handler, and never in the host's way."""

from __future__ import annotations

import copy
import io
import json
import logging
import logging.config
import logging.handlers
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs

from agentos_otel import JsonFormatter, TextFormatter, task
from agentos_otel.correlation import log_journal, logs
from agentos_otel.journal import encoding, reader
from agentos_otel.journal.log_encoding import encode_context, log_parts
from agentos_otel.journal.record import LOG_RECORD
from agentos_otel.tracing.limits import cut
from tests.unit.conftest import Recorder


@pytest.fixture
def joined(recorder: Recorder) -> Iterator[Recorder]:
    logs.install(log_journal.current, log_journal.keep)
    yield recorder
    logs.uninstall()


@pytest.fixture
def stream() -> Iterator[tuple[logging.Logger, io.StringIO, logging.Handler]]:
    logger, out = logging.getLogger("test.host"), io.StringIO()
    handler = logging.StreamHandler(out)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger, out, handler
    logger.removeHandler(handler)


def test_records_carry_the_ids_and_are_kept_with_their_span(
    joined: Recorder, stream: tuple[logging.Logger, io.StringIO, logging.Handler]
) -> None:
    logger, out, handler = stream
    handler.setFormatter(JsonFormatter())
    with task("work") as work:
        logger.info("reading %s", "a file", extra={"size": 3})
    logger.info("outside")
    inside, outside = map(json.loads, out.getvalue().splitlines())
    assert (inside["message"], inside["size"], inside["task_id"]) == ("reading a file", 3, work.task_id)
    assert (inside["trace_id"], outside["task_id"]) == (work.trace_id, "")
    (document,) = joined.documents()
    (kept,) = document["logs"]
    assert (kept["body"], kept["logger"], kept["severity"]) == ("reading a file", "test.host", "INFO")
    assert kept["span_id"] == document["spans"][0]["span_id"]


def test_the_hosts_own_extra_wins_and_never_raises(
    joined: Recorder, stream: tuple[logging.Logger, io.StringIO, logging.Handler]
) -> None:
    logger, out, handler = stream
    handler.setFormatter(logging.Formatter("%(task_id)s %(message)s"))
    with task("work"):
        logger.info("mine", extra={"task_id": "the host's"})
    logger.info("none")
    assert out.getvalue() == "the host's mine\n none\n"


def test_a_message_that_does_not_fit_its_arguments_is_kept_as_it_is(
    joined: Recorder,
    stream: tuple[logging.Logger, io.StringIO, logging.Handler],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logger, _, handler = stream
    logger.removeHandler(handler)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    monkeypatch.setattr(logger, "propagate", False)
    with task("work"):
        logger.info("%d items", "many")
    assert joined.documents()[0]["logs"][0]["body"] == "%d items"


def test_text_lines_end_in_the_ids(
    joined: Recorder, stream: tuple[logging.Logger, io.StringIO, logging.Handler]
) -> None:
    logger, out, handler = stream
    handler.setFormatter(TextFormatter("%(message)s"))
    with task("work") as work:
        logger.info("here")
    assert out.getvalue().startswith(f"here [task_id={work.task_id} trace_id={work.trace_id} span_id=")


def test_a_secret_in_a_line_is_not_kept(
    joined: Recorder, stream: tuple[logging.Logger, io.StringIO, logging.Handler]
) -> None:
    with task("work"):
        stream[0].info("token ghp_%s", "a" * 36)
    assert joined.documents()[0]["logs"][0]["body"] == "token ****"


CONTEXT = logs.LogContext("01" * 16, "02" * 8, 1, "t-1", "s-1")


class Wrapped:
    """`logs` installed over ids and a sink of the test's own."""

    def __init__(self) -> None:
        self.context: logs.LogContext | None = CONTEXT
        self.kept: list[tuple[logging.LogRecord, logs.LogContext]] = []
        self.then: Callable[[], None] = lambda: None

    def current(self) -> logs.LogContext | None:
        return self.context

    def sink(self, record: logging.LogRecord, context: logs.LogContext) -> None:
        self.kept.append((record, context))
        self.then()

    def messages(self) -> list[str]:
        return [record.getMessage() for record, _ in self.kept]


@pytest.fixture
def wrapped() -> Iterator[Wrapped]:
    bare, made = logging.Logger.makeRecord, Wrapped()
    logs.install(made.current, made.sink)
    yield made
    logs.uninstall()
    assert logging.Logger.makeRecord is bare


Host = tuple[logging.Logger, io.StringIO, logging.Handler]


def test_installing_twice_keeps_each_record_once_and_uninstalling_twice_is_nothing(
    wrapped: Wrapped, stream: Host
) -> None:
    logs.install(wrapped.current, wrapped.sink)
    stream[0].info("once")
    logs.uninstall()
    logs.uninstall()
    stream[0].info("not kept")
    assert wrapped.messages() == ["once"]


def test_a_wrapper_that_came_after_ours_stays_when_we_leave(stream: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.Logger, "makeRecord", logging.Logger.makeRecord)  # given back at the end
    host, seen = Wrapped(), []
    logs.install(host.current, host.sink)
    ours = logging.Logger.makeRecord

    def theirs(self: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:
        seen.append(record := ours(self, *args, **kwargs))
        return record

    logging.Logger.makeRecord = theirs  # type: ignore[method-assign]
    logs.uninstall()
    stream[0].info("theirs alone")
    logs.install(host.current, host.sink)
    stream[0].info("both")
    logs.uninstall()
    assert logging.Logger.makeRecord is theirs
    assert [record.getMessage() for record in seen] == ["theirs alone", "both"]
    assert host.messages() == ["both"]
    assert "task_id" not in seen[0].__dict__


def test_what_the_sink_logs_has_the_fields_and_is_not_kept(wrapped: Wrapped, stream: Host) -> None:
    logger, out, handler = stream
    handler.setFormatter(logging.Formatter("%(task_id)s|%(trace_flags)02x|%(message)s"))
    wrapped.then = lambda: logger.info("by the sink")
    logger.info("by the host")
    assert wrapped.messages() == ["by the host"]
    assert out.getvalue() == "t-1|01|by the sink\nt-1|01|by the host\n"


@pytest.mark.parametrize("name", ["agentos_otel", "agentos_otel.store"])
def test_our_own_lines_have_the_ids_and_are_not_kept(wrapped: Wrapped, name: str, stream: Host) -> None:
    ours, (_, out, handler) = logging.getLogger(name), stream
    handler.setFormatter(logging.Formatter("%(task_id)s %(message)s"))
    ours.addHandler(handler)
    try:
        ours.warning("of ours")
    finally:
        ours.removeHandler(handler)
    assert (out.getvalue(), wrapped.kept) == ("t-1 of ours\n", [])


def test_a_failure_of_ours_leaves_the_hosts_line_and_its_format(wrapped: Wrapped, stream: Host) -> None:
    def fail() -> None:
        raise OSError("full")

    logger, out, handler = stream
    handler.setFormatter(logging.Formatter("%(task_id)s %(message)s"))
    wrapped.then = fail
    logger.info("first")
    wrapped.current = None  # type: ignore[method-assign, assignment]
    logger.info("second")
    assert out.getvalue() == "t-1 first\nt-1 second\n"


class HostLogger(logging.Logger):
    """A host's logger that makes its records itself."""

    def makeRecord(self, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: N802
        record = super().makeRecord(*args, **kwargs)
        record.session_id = "the host's"
        return record


def test_a_subclass_an_adapter_and_a_queue(wrapped: Wrapped, stream: Host) -> None:
    line = "%(task_id)s %(session_id)s %(message)s"
    _, out, handler = stream
    handler.setFormatter(logging.Formatter(line))
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    logger = HostLogger("test.subclass", logging.INFO)
    logger.addHandler(logging.handlers.QueueHandler(records))
    logging.LoggerAdapter(logger, {"task_id": "adapted"}).info("queued")
    handler.handle(records.get_nowait())
    assert out.getvalue() == "adapted the host's queued\n"
    assert wrapped.messages() == ["queued"]


def test_disabled_lines_are_not_kept(wrapped: Wrapped, stream: Host) -> None:
    logging.disable(logging.INFO)
    try:
        stream[0].info("off")
        stream[0].warning("on")
    finally:
        logging.disable(logging.NOTSET)
    assert wrapped.messages() == ["on"]


def test_a_line_of_another_thread_is_kept_while_the_sink_is_busy(wrapped: Wrapped, stream: Host) -> None:
    def from_a_thread() -> None:
        wrapped.then = lambda: None
        thread = threading.Thread(target=stream[0].info, args=("from the thread",))
        thread.start()
        thread.join(10)

    wrapped.then = from_a_thread
    stream[0].info("from here")
    assert wrapped.messages() == ["from here", "from the thread"]


def formatted(formatter: logging.Formatter, **extra: Any) -> str:
    record = logging.LogRecord("host", logging.INFO, "file.py", 3, "hello", (), None, "fn")
    record.__dict__.update(extra)
    return formatter.format(record)


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_extras_that_json_cannot_hold_become_text_and_never_raise() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    extras = {"cycle": cycle, "keys": {(1, 2): 3}, "nan": float("nan"), "bad": Unprintable(), "in": [Unprintable()]}
    line = formatted(logs.JsonFormatter(), **extras, name_of_file="\udcff", logger="theirs", when={"at": Unprintable})
    line.encode()
    read = json.loads(line, parse_constant=pytest.fail)
    assert (read["cycle"], read["keys"], read["nan"]) == ("[[...]]", "{(1, 2): 3}", "nan")
    assert (read["bad"], read["in"]) == ("<Unprintable>", ["<Unprintable>"])
    assert (read["name_of_file"], read["logger"], read["extra.logger"]) == ("\udcff", "host", "theirs")


def test_a_json_line_has_the_time_and_the_exception() -> None:
    try:
        raise KeyError("gone")
    except KeyError:
        read = json.loads(formatted(logs.JsonFormatter(), created=1.5, exc_info=sys.exc_info()))
    assert (read["timestamp"], read["severity"]) == ("1970-01-01T00:00:01.500000+00:00", "INFO")
    assert read["exception"].endswith("KeyError: 'gone'")
    assert json.loads(formatted(logs.JsonFormatter(), exc_text="pickled"))["exception"] == "pickled"


@pytest.mark.parametrize(("style", "line"), [("%", "%(message)s"), ("{", "{message}"), ("$", "$message")])
def test_dict_config_makes_the_formatters_in_every_style(style: str, line: str) -> None:
    formatter = {"class": "agentos_otel.correlation.logs.TextFormatter", "format": line, "style": style}
    plain = {**formatter, "class": "agentos_otel.correlation.logs.JsonFormatter"}
    settings = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"text": formatter, "json": plain},
        "handlers": {
            name: {"class": "logging.StreamHandler", "stream": io.StringIO(), "formatter": name}
            for name in ("text", "json")
        },
        "loggers": {"test.configured": {"handlers": ["text", "json"]}},
    }
    logging.config.dictConfig(settings)
    logger = logging.getLogger("test.configured")
    text, as_json = [handler.formatter for handler in logger.handlers]
    logger.handlers.clear()
    assert text is not None
    assert as_json is not None
    assert formatted(text, task_id="t") == "hello [task_id=t trace_id= span_id=]"
    assert json.loads(formatted(as_json))["message"] == "hello"


def test_the_text_formatters_own_line_and_a_style_that_is_none() -> None:
    assert " INFO host: hello [task_id= trace_id= span_id=]" in formatted(logs.TextFormatter())
    with pytest.raises(ValueError, match="Style"):
        logs.TextFormatter(style="?")  # type: ignore[arg-type]


def encoded(record: logging.LogRecord) -> tuple[Any, dict[str, Any], bool]:
    parts, was_cut = log_parts(record, encode_context("01" * 16, "02" * 8, 1, "t", "s"), cut)
    framed = encoding.SpanEncoder({"service.name": "x"}).record(LOG_RECORD, parts)
    message = ResourceLogs.FromString(reader.parse(framed).records[0].body)
    assert message.resource.attributes[0].value.string_value == "x"
    assert message.scope_logs[0].scope.name == "agentos_otel"
    (log,) = message.scope_logs[0].log_records
    return log, {p.key: getattr(p.value, p.value.WhichOneof("value")) for p in log.attributes}, was_cut


@given(
    message=st.text(max_size=30),
    level=st.integers(0, 100),
    line=st.integers(1, 2**31),
    created=st.floats(0, 4e9),
    error=st.none() | st.text(max_size=30),
)
def test_a_log_record_is_what_the_official_decoder_reads(
    message: str, level: int, line: int, created: float, error: str | None
) -> None:
    record = logging.LogRecord("host", level, "file.py", line, message, (), None, "fn")
    record.created = created
    if error is not None:
        failure = json.JSONDecodeError(error, "", 0)
        record.exc_info = (type(failure), failure, None)
    log, attributes, was_cut = encoded(record)
    assert (log.time_unix_nano, log.observed_time_unix_nano) == (int(created * 1e9),) * 2
    assert (log.severity_text, log.body.string_value) == (record.levelname, message)
    assert log.severity_number == (1 if level < 10 else min(level // 10, 5) * 4 + 1)
    assert (log.trace_id, log.span_id, log.flags, was_cut) == (b"\x01" * 16, b"\x02" * 8, 1, False)
    expected = {"log.logger.name": "host", "code.function.name": "fn", "code.line.number": line}
    if error is not None:
        assert attributes.pop("exception.stacktrace").startswith("json.decoder.JSONDecodeError: ")
        expected |= {"exception.type": "json.decoder.JSONDecodeError", "exception.message": str(failure)}
    assert attributes == {"task_id": "t", "session_id": "s", **expected}


def test_a_long_traceback_keeps_its_end_and_is_said_to_be_cut() -> None:
    def deeper(count: int) -> None:
        exec("\n" * count + "call()", {"call": (lambda: deeper(count - 1)) if count else (lambda: 1 / 0)})

    record = logging.LogRecord("host", logging.ERROR, "file.py", 3, "short", (), None, "fn")
    try:
        deeper(40)
    except ZeroDivisionError:
        record.exc_info = sys.exc_info()
    _, attributes, was_cut = encoded(record)
    assert was_cut
    assert attributes["exception.stacktrace"].endswith("ZeroDivisionError: division by zero\n")
    assert (attributes["exception.type"], attributes["exception.message"]) == ("ZeroDivisionError", "division by zero")


def test_a_secret_in_an_exception_is_not_kept() -> None:
    record = logging.LogRecord("host", logging.ERROR, "file.py", 3, "short", (), None, "fn")
    failure = ValueError("bad key ghp_" + "a" * 36)
    record.exc_info = (ValueError, failure, None)
    _, attributes, _ = encoded(record)
    assert attributes["exception.message"] == "bad key ****"
    assert "ghp_" not in attributes["exception.stacktrace"]


def test_a_message_and_an_exception_without_text_are_named_by_their_type() -> None:
    record = logging.LogRecord("host", logging.ERROR, "file.py", 3, Unprintable(), (), None, None)
    failure = type("Silent", (Exception,), {"__str__": Unprintable.__str__})()
    record.exc_info = (type(failure), failure, None)
    log, attributes, _ = encoded(copy.copy(record))
    assert (log.body.string_value, attributes["exception.message"]) == ("<Unprintable>", "<Silent>")
    assert "code.function.name" not in attributes
