"""Never break the host: the one place where a failure of ours is caught and logged.

Obvious alternatives are wrong: a bare `except` at each place hides our bugs from our own tests, and logging every
failure floods the host's log from a hot loop. So every failure passes here, is logged once per place through the
library's logger (which has a NullHandler and no level), and is raised when our own tests ask for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

logger: Final = logging.getLogger("agentos_otel")
logger.addHandler(logging.NullHandler())

_seen: set[str] = set()
raise_failures = False
"""Set by the project's own tests, so that a guarded failure fails them."""


def failed(place: str, error: Exception) -> None:
    """Note a failure of ours at `place`; the host goes on.

    Args:
        place: What we were doing, in a few words; each place is logged once per process.
        error: The exception that was caught.

    Raises:
        Exception: `error` itself, only where our own tests set `raise_failures`.
    """
    if raise_failures:
        raise error
    warn_once(place, "%s failed, tracing goes on without it: %r", place, error)


def warn_once(key: str, message: str, *args: object) -> None:
    """Log a warning the first time that `key` is seen in this process."""
    if key not in _seen:
        _seen.add(key)
        logger.warning(message, *args)


def guarded(place: str, call: Callable[..., Any], *args: Any) -> Any:
    """Return `call(*args)`, or None after noting the failure at `place`."""
    try:
        return call(*args)
    except Exception as error:
        failed(place, error)
        return None
