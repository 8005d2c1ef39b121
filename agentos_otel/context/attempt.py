"""One attempt of a task as this process knows it: ids, root, and what all its spans share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
        root_parent: Span of a foreign trace that the root hangs under, 8 bytes; empty for none.
        resource: What the process that began the attempt says of itself on each record.
        sampled: Whether spans are recorded at all.
        owned: Whether a point of this process ends the task when it returns.
        generation: Fork generation of the process that has joined; another one's child, and who took the attempt out
            of a message, joins at its first point.
        ended: Whether this process has claimed the attempt's end.
        late: Whether the root was written before: what begins now comes late.
        remote_parent: Span of another process that our outermost span hangs under, else the root.
        unstored: Whether the task store was found to lack it here: ids that it produces are told by files too.
        common: The attributes that every span carries.
        shared: The same, encoded.
        identity: Trace id of every span, encoded.
        state: Status and phase that this process has told last.
        depth: Points of this process that are open in this attempt.
        host_task_id: The host's own id of the task, once it is known here.
        task_file: File that commit hooks of children read; empty when none was written.
    """

    __slots__ = (
        "common",
        "depth",
        "ended",
        "generation",
        "host_task_id",
        "identity",
        "late",
        "links",
        "number",
        "owned",
        "remote_parent",
        "resource",
        "root_id",
        "root_name",
        "root_parent",
        "root_start_ns",
        "sampled",
        "session_id",
        "shared",
        "state",
        "task_file",
        "task_id",
        "trace_hex",
        "trace_id",
        "unstored",
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
        self.root_parent = b""
        self.resource: Mapping[str, Any] = {}
        self.sampled = sampled
        self.owned = False
        self.late = self.unstored = False
        self.remote_parent = root_id
        self.common: dict[str, Any] = {}
        self.shared = self.identity = b""
        self.links: list[tuple[bytes, bytes]] = []
        self.depth = 0
        self.state: tuple[str, str] = ("", "")
        self.generation = -1
        self.ended = False
        self.task_file = ""
        self.host_task_id = ""
