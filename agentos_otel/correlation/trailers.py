"""Commit trailers as text: which task, session and trace made a commit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agentos_otel import semconv

KEYS: Final = (semconv.TRAILER_TASK, semconv.TRAILER_SESSION, semconv.TRAILER_TRACE)
# `git am` ends the message at such a line: a block below it would be lost on the way to main.
_CUTTING: Final = re.compile(r"^(?:---(?:\s|$)|diff -|Index: )", re.MULTILINE)
_TRAILER: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9-]*\s*:\s*\S")
_OURS: Final = re.compile(r"^\s*(Task-Id|Session-Id|Trace-Id)\s*:\s*(\S+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Identity:
    """What the trailers say; an empty trace id (a task that is sampled out) gives no `Trace-Id`."""

    task_id: str
    session_id: str
    trace_id: str = ""

    def lines(self) -> list[str]:
        """Return the trailer lines, none of them empty."""
        values = zip(KEYS, (self.task_id, self.session_id, self.trace_id), strict=True)
        return [f"{key}: {value}" for key, value in values if value]


def _has_text(message: str) -> bool:
    return any(line.strip() and not line.startswith("#") for line in message.splitlines())


def stamp(message: str, identity: Identity) -> str:
    """Return `message` with the trailers of `identity`.

    An existing block is extended, an existing `Task-Id` left; a message without text of its own stays as it is (else
    an aborted commit would become one).
    """
    if not _has_text(message) or semconv.TRAILER_TASK in read(message):
        return message
    cutting = _CUTTING.search(message)
    head, tail = (message[: cutting.start()], message[cutting.start() :]) if cutting else (message, "")
    if not _has_text(head):
        return message
    head = head.rstrip("\r\n \t")
    last = re.split(r"\n[ \t\r]*\n", head)
    block = last[-1].splitlines() if len(last) > 1 else []
    extends = (
        bool(block) and all(_TRAILER.match(line) or line[:1] in " \t" for line in block) and block[0][:1] not in " \t"
    )
    stamped = head + ("\n" if extends else "\n\n") + "\n".join(identity.lines()) + "\n"
    return stamped + ("\n" + tail if tail else "")


def read(message: str) -> dict[str, str]:
    """Return our trailers wherever a merge, a squash or a cutting line has left them; the last of each counts."""
    return {match.group(1): match.group(2) for match in _OURS.finditer(message)}
