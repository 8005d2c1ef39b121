"""Commit trailers as text: which task, session and trace made a commit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agentos_otel import semconv

KEYS: Final = (semconv.TRAILER_TASK, semconv.TRAILER_SESSION, semconv.TRAILER_TRACE)
# `git am` ends the message at such a line: a block below it would be lost on the way to main.
_CUTTING: Final = re.compile(r"^(?:---(?:[ \t\r]|$)|diff -|Index: )", re.MULTILINE)
# Never `\s` around a value: it takes line ends too, and an empty trailer would get the next line as its value.
_OURS: Final = re.compile(rf"^([ \t]*)({'|'.join(KEYS)})[ \t]*:[ \t]*(\S+)[ \t\r]*$", re.MULTILINE | re.IGNORECASE)
_TASK: Final = re.compile(rf"^{semconv.TRAILER_TASK}[ \t]*:[ \t]*\S+[ \t\r]*$", re.MULTILINE | re.IGNORECASE)
# What git takes for a trailer (trailer.c): a URL and an empty trailer too.
_TRAILER: Final = re.compile(r"[A-Za-z0-9-]+[ \t]*:")
_RECOGNIZED: Final = ("Signed-off-by: ", "(cherry picked from commit ")
_CANONICAL: Final = {key.lower(): key for key in KEYS}


@dataclass(frozen=True, slots=True)
class Identity:
    """What the trailers say; an empty trace id (a task that is sampled out) gives no `Trace-Id`."""

    task_id: str
    session_id: str
    trace_id: str = ""

    def lines(self) -> list[str]:
        """Return the trailer lines, none of them empty; a value that would not be read back as it is, is left out."""
        values = zip(KEYS, (self.task_id, self.session_id, self.trace_id), strict=True)
        return [f"{key}: {value}" for key, value in values if re.fullmatch(r"\S+", value)]


def _has_text(message: str) -> bool:
    return any(line.strip() and not line.startswith("#") for line in message.split("\n"))


def _is_block(lines: list[str]) -> bool:
    """Whether git takes this last paragraph for trailers: all are, or a quarter where git itself wrote one.

    A stricter rule is the trap: with `(cherry picked from commit …)` in the block it would start a second block, and
    git, which reads only the last one, would lose the sign-offs of the first.
    """
    trailers = others = continued = 0
    recognized = False
    for line in reversed(lines):
        if line.startswith("#"):
            others, continued = others + continued, 0
        elif line.startswith(_RECOGNIZED):
            trailers, continued, recognized = trailers + 1, 0, True
        elif _TRAILER.match(line):
            trailers, continued = trailers + 1, 0
        elif line[:1].isspace():
            continued += 1
        else:
            others, continued = others + continued + 1, 0
    others += continued
    return trailers > 0 and (others == 0 or (recognized and trailers * 3 >= others))


def stamp(message: str, identity: Identity) -> str:
    """Return `message` with the trailers of `identity`.

    An existing block is extended, an existing `Task-Id` left; a message without text of its own stays as it is (else
    an aborted commit would become one). What `git merge --squash` has indented is no trailer and does not count.
    """
    trailers = identity.lines()
    if not trailers or not trailers[0].startswith(semconv.TRAILER_TASK) or _TASK.search(message):
        return message
    cutting = _CUTTING.search(message)
    head, tail = (message[: cutting.start()], message[cutting.start() :]) if cutting else (message, "")
    if not _has_text(head):
        return message
    head = head.rstrip("\r\n \t")
    paragraphs = re.split(r"\n(?:[ \t\r]*\n)+", head)  # the first is the subject, whatever it looks like
    extends = len(paragraphs) > 1 and _is_block(paragraphs[-1].split("\n"))
    stamped = head + ("\n" if extends else "\n\n") + "\n".join(trailers) + "\n"
    if not tail:
        return stamped
    return f"{stamped}\n{tail}" if tail.endswith("\n") else f"{stamped}\n{tail}\n"  # `---` alone divides only whole


def read(message: str) -> dict[str, str]:
    """Return our trailers wherever a merge, a squash or a cutting line has left them; the last set counts.

    What a squash has indented says whose commits went in, so it counts only where the commit itself names no task.
    """
    matches = list(_OURS.finditer(message))
    own = [match for match in matches if not match.group(1)]
    if any(match.group(2).lower() == semconv.TRAILER_TASK.lower() for match in own):
        matches = own
    found: dict[str, str] = {}
    for match in matches:
        key = _CANONICAL[match.group(2).lower()]
        if key == semconv.TRAILER_TASK and key in found:
            found.clear()  # a set starts with its task: one without a trace must not take the one before it for its own
        found[key] = match.group(3)
    return found
