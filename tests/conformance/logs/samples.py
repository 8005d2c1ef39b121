"""A logger of a host's own, whose lines go to a text."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def host_logger(formatter: logging.Formatter | None = None) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """Give a logger and what it writes; nothing of it stays."""
    logger, text = logging.Logger("host.conformance"), io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    yield logger, text
    logger.removeHandler(handler)
