"""Random ids, drawn without touching the host's own random numbers; and what is never an id."""

from __future__ import annotations

import os
import random
import uuid
from typing import Final

_NOWHERE_IN: Final = ("unknown", "undefined")
_NOT_FIRST: Final = ("none", "null")

# A generator of our own: drawing from the module's shared one would change what a host that called random.seed() sees,
# and give the same ids to every process of such a host. A fork's child begins anew, or it would repeat its parent's.
_own: Final = random.Random()  # noqa: S311 - ids are no secrets
_bits: Final = _own.getrandbits
os.register_at_fork(after_in_child=_own.seed)


def new_task_id() -> str:
    """Return a random task id; random from its first character, so that six characters find it."""
    return uuid.uuid4().hex[:20]


def new_session_id(task_id: str) -> str:
    """Return the session of a task that neither the host nor the user gave one."""
    return f"auto_{task_id[:12]}"


def new_trace_id() -> bytes:
    """Return 16 random bytes, not all zero."""
    return (_bits(128) or 1).to_bytes(16, "big")


def new_span_id() -> bytes:
    """Return 8 random bytes, not all zero."""
    return (_bits(64) or 1).to_bytes(8, "big")


def new_run_id() -> str:
    """Return a random id for this process's part in the work."""
    return uuid.uuid4().hex[:16]


def usable_id(value: object) -> str | None:
    """Return `value` as an id, or None for what is never one (design 3.2).

    Real hosts write `exec_req_unknown`, empty strings and file names where an id belongs; joining by those would put
    strangers into one task.
    """
    if isinstance(value, (str, uuid.UUID)):
        text = str(value)
        if 8 <= len(text) <= 256 and "/" not in text and "\\" not in text and text.split() == [text]:
            lower = text.lower()  # by hand: compiling two expressions costs each short process a millisecond
            if not lower.startswith(_NOT_FIRST) and not any(word in lower for word in _NOWHERE_IN):
                return text
    return None
