"""The time as text."""

from datetime import datetime, timezone


def now():
    return datetime.now(timezone.utc).isoformat()
