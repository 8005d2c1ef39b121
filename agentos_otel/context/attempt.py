"""One attempt of a task as this process knows it: ids, root, and what all its spans share."""

from __future__ import annotations

import random
import re
import uuid
from typing import Final

_USABLE: Final = re.compile(r"[^\s/\\]{8,256}")
_NO_ID: Final = re.compile(r"unknown|undefined|^(none|null)", re.IGNORECASE)


def new_task_id() -> str:
    """Return a random task id; random from its first character, so that six characters find it."""
    return uuid.uuid4().hex[:20]


def new_session_id(task_id: str) -> str:
    """Return the session of a task that neither the host nor the user gave one."""
    return f"auto_{task_id[:12]}"


def new_trace_id() -> bytes:
    """Return 16 random bytes, not all zero."""
    return (random.getrandbits(128) or 1).to_bytes(16, "big")


def new_span_id() -> bytes:
    """Return 8 random bytes, not all zero."""
    return (random.getrandbits(64) or 1).to_bytes(8, "big")


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
        if _USABLE.fullmatch(text) and not _NO_ID.search(text):
            return text
    return None


class Attempt:
    """The shared part of all spans of one trace of a task in this process.

    Attributes:
        task_id: Key of the task.
        session_id: Session of the task.
        number: 1 for the first attempt.
        trace_id: 16 bytes.
        root_id: 8 bytes; the reserved id of the root span, parent of whatever joins.
        root_start_ns: Start of the root, Unix nanoseconds.
        root_name: Name of the root span.
        sampled: Whether spans are recorded at all.
        owned: Whether a point of this process ends the task when it returns.
        late: Whether this process joined after the root was written.
        remote_parent: Span of another process that our outermost span hangs under, else the root.
        shared: The attributes that every span carries, encoded.
        state: Status and phase that this process has told last.
        depth: Points of this process that are open in this attempt.
        task_file: File that commit hooks of children read; empty when none was written.
    """

    __slots__ = (
        "depth",
        "late",
        "links",
        "number",
        "owned",
        "pid",
        "remote_parent",
        "root_id",
        "root_name",
        "root_start_ns",
        "sampled",
        "session_id",
        "shared",
        "state",
        "task_file",
        "task_id",
        "trace_hex",
        "trace_id",
    )

    def __init__(
        self,
        task_id: str,
        session_id: str,
        trace_id: bytes,
        root_id: bytes,
        root_start_ns: int,
        *,
        root_name: str = "",
        number: int = 1,
        sampled: bool = True,
    ) -> None:
        self.task_id = task_id
        self.session_id = session_id
        self.number = number
        self.trace_id = trace_id
        self.trace_hex = trace_id.hex()
        self.root_id = root_id
        self.root_start_ns = root_start_ns
        self.root_name = root_name
        self.sampled = sampled
        self.owned = False
        self.late = False
        self.remote_parent = root_id
        self.shared = b""
        self.links: list[tuple[bytes, bytes]] = []
        self.depth = 0
        self.state: tuple[str, str] = ("", "")
        self.pid = 0
        self.task_file = ""
