"""loguru works, and where it is handed on to the standard library its records have the ids."""

from __future__ import annotations

import io
import logging
from typing import Any

import loguru
from loguru import logger

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike
from tests.conformance.logs.samples import host_logger


def test_alone(adapter: Adapter) -> None:
    def scenario(decorate: Decorate) -> str:
        sink = logger.add(text := io.StringIO(), format="{extra[task_id]} {function} {message}")

        @decorate
        def work() -> None:
            logger.bind(task_id="the host's").info("line")

        work()
        logger.remove(sink)
        return text.getvalue()

    logger.remove()
    with adapter.joined_logs():
        assert alike(scenario, adapter.traced) == "the host's work line\n"


def test_handed_on_to_the_standard_library(adapter: Adapter, spans: Any) -> None:
    assert adapter.log_field, "the product leaves log records alone"
    logger.remove()
    with (
        host_logger(logging.Formatter(f"%({adapter.log_field})s %(message)s")) as (standard, text),
        adapter.joined_logs(),
    ):

        def hand_on(message: loguru.Message) -> None:
            record = message.record
            arguments = (
                standard.name,
                record["level"].no,
                record["file"].path,
                record["line"],
                record["message"],
                (),
                None,
            )
            standard.handle(standard.makeRecord(*arguments))

        sink = logger.add(hand_on, format="{message}")

        @adapter.traced
        def work() -> None:
            logger.warning("line")

        work()
        logger.remove(sink)
    assert text.getvalue() == f"{spans()[0].trace_id} line\n"
