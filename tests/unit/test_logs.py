"""Ids on log records: whatever handler, and never in the host's way."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from agentos_otel import JsonFormatter, TextFormatter, bootstrap, task
from agentos_otel.correlation import logs
from tests.unit.conftest import Recorder


@pytest.fixture
def joined(recorder: Recorder) -> Iterator[Recorder]:
    logs.install(bootstrap.log_context, bootstrap.journal_log)
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
