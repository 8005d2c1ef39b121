"""A host's own `extra` with the names of our fields never raises and wins; a logger of its own class works."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike
from tests.conformance.logs.samples import host_logger

NAMES = ("task_id", "session_id", "trace_id", "span_id", "trace_flags", "otelTraceID", "otelSpanID")


@pytest.mark.parametrize("name", NAMES)
def test_extra(adapter: Adapter, name: str) -> None:
    def scenario(decorate: Decorate) -> str:
        with host_logger(logging.Formatter(f"%({name})s %(message)s")) as (logger, text):

            @decorate
            def work() -> None:
                logger.warning("line", extra={name: "the host's"})

            work()
            return text.getvalue()

    with adapter.joined_logs():
        assert alike(scenario, adapter.traced) == "the host's line\n"


def test_a_record_factory_and_a_logger_class_of_the_hosts(adapter: Adapter) -> None:
    class Logger(logging.Logger):
        def makeRecord(self, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: N802 - logging's name
            record = super().makeRecord(*args, **kwargs)
            record.task_id = "of the class"
            return record

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args, **kwargs)
        record.session_id = "of the factory"
        return record

    def scenario(decorate: Decorate) -> list[Any]:
        seen: list[logging.LogRecord] = []

        class Keep(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                seen.append(record)

        logger = Logger("host.class")
        logger.addHandler(Keep())

        @decorate
        def work() -> None:
            logger.warning("line")

        work()
        return [(record.task_id, record.session_id) for record in seen]  # type: ignore[attr-defined]

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(factory)
    try:
        with adapter.joined_logs():
            assert alike(scenario, adapter.traced) == [("of the class", "of the factory")]
    finally:
        logging.setLogRecordFactory(before)
