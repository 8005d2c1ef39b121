"""A logger of a host's own, whose lines go to a text."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def host_logger(formatter: logging.Formatter | None = None) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """Give a logger and what it writes; nothing of it stays."""
    logger, text = logging.getLogger("host.conformance"), io.StringIO()
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    handler = logging.StreamHandler(text)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    yield logger, text
    for each in [*logger.handlers, *logger.filters]:
        logger.removeHandler(each) if isinstance(each, logging.Handler) else logger.removeFilter(each)
