"""`logging.disable`, levels and filters silence a line as they do without us; its arguments are not formatted."""

from __future__ import annotations

import logging

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike
from tests.conformance.logs.samples import host_logger


def test_silenced_lines(adapter: Adapter) -> None:
    def scenario(decorate: Decorate) -> list[str]:
        formatted: list[str] = []

        class Argument:
            def __str__(self) -> str:
                formatted.append("formatted")
                return "argument"

        with host_logger() as (logger, text):
            logger.setLevel(logging.INFO)
            logger.addFilter(lambda record: "filtered" not in str(record.msg))

            @decorate
            def work() -> None:
                logger.debug("below the level %s", Argument())
                logging.disable(logging.INFO)
                logger.info("disabled %s", Argument())
                logging.disable(logging.NOTSET)
                logger.warning("written")

            work()
            return [*formatted, text.getvalue()]

    with adapter.joined_logs():
        assert alike(scenario, adapter.traced) == ["written\n"]


def test_a_line_that_does_not_fit_its_arguments(adapter: Adapter) -> None:
    def scenario(decorate: Decorate) -> list[str]:
        seen: list[str] = []

        class Keep(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                try:
                    record.getMessage()
                except TypeError as error:
                    seen.append(str(error))

        logger = logging.Logger("host.wrong")  # noqa: LOG001 - pytest attaches a handler that raises to known ones
        logger.addHandler(Keep())

        @decorate
        def work() -> None:
            logger.warning("%d items", "many")

        work()
        return seen

    with adapter.joined_logs():
        assert alike(scenario, adapter.traced) == ["%d format: a real number is required, not str"]
