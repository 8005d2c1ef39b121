"""A log record made inside a call carries the trace id, whatever handler, added before or after, in threads too."""

from __future__ import annotations

import io
import logging
import threading
from typing import Any

import pytest

from tests.conformance.adapters import Adapter
from tests.conformance.logs.samples import host_logger


@pytest.fixture
def formatter(adapter: Adapter) -> logging.Formatter:
    assert adapter.log_field, "the product leaves log records alone"
    return logging.Formatter(f"%({adapter.log_field})s %(message)s")


def test_handlers_added_before_and_after(adapter: Adapter, spans: Any, formatter: logging.Formatter) -> None:
    with host_logger(formatter) as (logger, before), adapter.joined_logs():
        late = logging.StreamHandler(after := io.StringIO())
        late.setFormatter(formatter)

        @adapter.traced
        def work() -> None:
            logger.warning("first")
            logger.addHandler(late)
            logging.LoggerAdapter(logger, {"more": 1}).warning("second")

        work()
    (span,) = spans()
    assert before.getvalue() == f"{span.trace_id} first\n{span.trace_id} second\n"
    assert after.getvalue() == f"{span.trace_id} second\n"


def test_outside_a_call_the_same_format_works(adapter: Adapter, formatter: logging.Formatter) -> None:
    with host_logger(formatter) as (logger, text), adapter.joined_logs():
        logger.warning("outside")
    assert text.getvalue().split()[-1] == "outside"


def test_each_thread_has_its_own(adapter: Adapter, spans: Any, formatter: logging.Formatter) -> None:
    with host_logger(formatter) as (logger, text), adapter.joined_logs():

        @adapter.traced
        def work(number: int) -> None:
            logger.warning("line %d", number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [line.partition(" ") for line in text.getvalue().splitlines()]
    assert sorted(message for _, _, message in lines) == [f"line {number}" for number in range(8)]
    assert sorted(trace_id for trace_id, _, _ in lines) == sorted(span.trace_id for span in spans())
