"""`%`, `{` and `$` formats and JSON formatters, ours and a host's, have the ids; where there is none they are empty."""

from __future__ import annotations

import json
import logging
from typing import Any, Literal

import pytest

from tests.conformance.adapters import Adapter
from tests.conformance.logs.samples import host_logger

STYLES: list[tuple[Literal["%", "{", "$"], str]] = [
    ("%", "%({})s|%(message)s"),
    ("{", "{{{}}}|{{message}}"),
    ("$", "${}|$message"),
]


class HostJson(logging.Formatter):
    """As python-json-logger does: whatever is on the record and is none of its standard fields."""

    standard = frozenset(vars(logging.makeLogRecord({})))

    def format(self, record: logging.LogRecord) -> str:
        extra = {key: value for key, value in vars(record).items() if key not in self.standard}
        return json.dumps({"message": record.getMessage(), **extra})


@pytest.mark.parametrize(("style", "line"), STYLES)
def test_styles(adapter: Adapter, spans: Any, style: Literal["%", "{", "$"], line: str) -> None:
    assert adapter.log_field, "the product leaves log records alone"
    formatter = logging.Formatter(line.format(adapter.log_field), style=style)
    with host_logger(formatter) as (logger, text), adapter.joined_logs():

        @adapter.traced
        def work() -> None:
            logger.warning("inside")

        work()
    assert text.getvalue() == f"{spans()[0].trace_id}|inside\n"


def test_a_hosts_json_formatter(adapter: Adapter, spans: Any) -> None:
    assert adapter.log_field, "the product leaves log records alone"
    with host_logger(HostJson()) as (logger, text), adapter.joined_logs():

        @adapter.traced
        def work() -> None:
            logger.warning("inside", extra={"own": 1})

        work()
        logger.warning("outside")
    inside, outside = map(json.loads, text.getvalue().splitlines())
    assert (inside[adapter.log_field], inside["own"], outside["message"]) == (spans()[0].trace_id, 1, "outside")
