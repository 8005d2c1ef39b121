"""structlog works, alone and on the standard library, where its records have the ids."""

from __future__ import annotations

import logging
from typing import Any

import structlog

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike
from tests.conformance.logs.samples import host_logger


def test_alone(adapter: Adapter) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        with structlog.testing.capture_logs() as lines:

            @decorate
            def work() -> None:
                structlog.get_logger().info("line", task_id="the host's")

            work()
        return lines

    with adapter.joined_logs():
        assert alike(scenario, adapter.traced) == [{"task_id": "the host's", "event": "line", "log_level": "info"}]


def test_on_the_standard_library(adapter: Adapter, spans: Any) -> None:
    assert adapter.log_field, "the product leaves log records alone"
    with (
        host_logger(logging.Formatter(f"%({adapter.log_field})s %(message)s")) as (logger, text),
        adapter.joined_logs(),
    ):
        bound = structlog.wrap_logger(
            logger,
            processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

        @adapter.traced
        def work() -> None:
            bound.bind(own=1).warning("line")

        work()
    assert text.getvalue() == f"{spans()[0].trace_id} line\n"
