"""When a failed request is tried again: the schedule of the OpenTelemetry exporters, without their end.

They double from 1 s with a fifth of jitter and drop the batch after six tries or ten seconds. Nothing needs dropping
here, since the journal is the buffer: the wait grows to a minute and stays.
"""

from __future__ import annotations

import random
from typing import Final

LONGEST_S: Final = 64.0
LONGEST_ASKED_S: Final = 600.0
"""What a server may ask for by Retry-After; a mistaken date must not stop the sending for a year."""


def delay(failures: int, asked: float | None = None, uniform: float | None = None) -> float:
    """Return the seconds to wait after a failure.

    Args:
        failures: How many there were before it, in a row.
        asked: What the server asks for, if it does.
        uniform: A number from 0 to 1 in place of a random one.
    """
    if asked is not None:
        return min(asked, LONGEST_ASKED_S)
    spread = random.random() if uniform is None else uniform  # noqa: S311 - jitter, no secret
    return min(2.0 ** min(failures, 20), LONGEST_S) * (0.8 + 0.4 * spread)
