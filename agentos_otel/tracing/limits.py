"""What is kept of a text: cut to a limit before anything serialises it, secrets replaced before it is written."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

MAX_TEXT: Final = 4096
"""Characters of one captured value."""

SECRETS: Final = (
    r"sk-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}"
    r"|glpat-[A-Za-z0-9_-]{20,}"
    r"|AKIA[0-9A-Z]{16}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|AIza[A-Za-z0-9_-]{35}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # JSON web token
    r"|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"  # user:password in a URL
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
)
NO_SECRET: Final = 16
"""Characters below which a text is no secret."""
REDACTED: Final = "****"


@cache
def _secrets() -> re.Pattern[str]:
    return re.compile(SECRETS)  # at the first text: compiling costs 3 ms of import


def cut(text: str, limit: int = MAX_TEXT, *, keep_end: bool = False) -> tuple[str, int]:
    """Return `text` within `limit` characters and without secrets, and 1 if it was cut.

    The end is kept of what tells most there (a traceback), else the beginning.
    """
    was_cut = len(text) > limit
    if was_cut:
        text = "…" + text[-limit + 1 :] if keep_end else text[: limit - 1] + "…"
    if len(text) >= NO_SECRET:  # noqa: SIM102 - most texts are short
        if _secrets().search(text):
            text = _secrets().sub(REDACTED, text)
    return text, int(was_cut)


def printable(value: object) -> str:
    """Return `str(value)`, or its type's name where that raises (a host's `__str__` may)."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - whatever a host's __str__ does
        return f"<{type(value).__qualname__}>"
