"""Secrets, and how they are recognised: the one place with the patterns. `docs/redaction.md` is made from it.

A secret is replaced by `****` before anything is written: by its form, wherever it stands in a text; and by the name it
has, as a parameter, a key or a field.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final, NamedTuple

REDACTED: Final = "****"


class Secret(NamedTuple):
    """One form of secret.

    Attributes:
        name: What it is.
        signs: What every match contains, a single rare character first: that it is not there is found in a tenth of a
            microsecond for a page of text, a word takes forty times as long, an expression four hundred.
        pattern: The expression; what its group `kept` matched stays.
        example: A text that has one.
    """

    name: str
    signs: tuple[str, ...]
    pattern: str
    example: str


_VALUE: Final = r"[^\s\"',;&(){}\[\]]{6,}"
SECRETS: Final = (
    Secret("API key of OpenAI, Anthropic and others", ("-", "sk-"), r"\bsk-[A-Za-z0-9_-]{16,}",
           "sk-ant-api03-abcdefghijklmnop"),
    Secret("GitHub token", ("_", "gh"), r"gh[pousr]_[A-Za-z0-9]{30,}", "ghp_" + "a1B2c3" * 6),
    Secret("GitHub fine-grained token", ("_", "github_pat_"), r"github_pat_[A-Za-z0-9_]{30,}",
           "github_pat_" + "a1B2c3" * 6),
    Secret("GitLab token", ("-", "glpat-"), r"glpat-[A-Za-z0-9_-]{20,}", "glpat-" + "a1B2c3" * 4),
    Secret("AWS access key id", ("K", "AKIA"), r"AKIA[0-9A-Z]{16}", "AKIAIOSFODNN7EXAMPLE"),
    Secret("Slack token", ("x", "xox"), r"xox[abeoprs]-[A-Za-z0-9-]{10,}", "xoxb-1234567890-abcdef"),
    Secret("Google API key", ("z", "AIza"), r"AIza[A-Za-z0-9_-]{35}", "AIza" + "a1B2c" * 7),
    Secret("Hugging Face token", ("_", "hf_"), r"hf_[A-Za-z0-9]{30,}", "hf_" + "a1B2c3" * 6),
    Secret("JSON web token", ("J", "eyJ"), r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
           "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop"),
    Secret("user and password in a URL", ("@", "://"), r"(?P<kept>://)[^\s/:@]+:[^\s/@]+(?=@)",
           "postgresql://user:password@localhost/tasks"),
    Secret("private key", ("-", "-----BEGIN"),
           r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
           "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----"),
    Secret("bearer token", ("B", "Bearer "), r"(?P<kept>Bearer )[A-Za-z0-9._~+/=-]{12,}",
           "Authorization: Bearer abcdef.123456"),
    Secret("bearer token, in small letters", ("b", "bearer "), r"(?P<kept>bearer )[A-Za-z0-9._~+/=-]{12,}",
           "authorization: bearer abcdef.123456"),
    Secret("password and the like, by name", ("w", "assw"),
           r"""(?P<kept>[Pp]assw(?:or)?d["']?\s?[:=]\s?["']?)""" + _VALUE, "--password=tr0ub4dor"),
    Secret("password and the like, in capitals", ("W", "ASSW"),
           r"""(?P<kept>PASSW(?:OR)?D["']?\s?[:=]\s?["']?)""" + _VALUE, "DB_PASSWORD=tr0ub4dor"),
    Secret("token by name", ("=", "oken"), r"""(?P<kept>[Tt]oken["']?\s?=\s?["']?)""" + _VALUE,
           "access_token=a1b2c3d4e5"),
    Secret("token by name, in capitals", ("=", "TOKEN"), r"""(?P<kept>TOKEN["']?\s?=\s?["']?)""" + _VALUE,
           "GITHUB_TOKEN=a1b2c3d4e5"),
    Secret("secret by name", ("ecret",), r"""(?P<kept>[Ss]ecret["']?\s?[:=]\s?["']?)""" + _VALUE,
           "client_secret: a1b2c3d4e5"),
    Secret("secret by name, in capitals", ("C", "SECRET"), r"""(?P<kept>SECRET["']?\s?[:=]\s?["']?)""" + _VALUE,
           "CLIENT_SECRET=a1b2c3d4e5"),
    Secret("key by name", ("=", "ey="), r"""(?i)(?P<kept>(?:api|access|private|secret)[_-]?key["']?=["']?)""" + _VALUE,
           "api_key=a1b2c3d4e5"),
    Secret("key by name, in capitals", ("=", "EY="), r"""(?P<kept>(?:API|ACCESS|PRIVATE|SECRET)[_-]?KEY["']?=["']?)"""
           + _VALUE, "OPENAI_API_KEY=a1b2c3d4e5"),
)  # fmt: skip

SECRET_NAMES: Final = (
    "password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "access_key", "private_key",
    "secret_key", "authorization", "credential", "credentials", "cookie",
)  # fmt: skip
"""The last words of names whose values are never kept: `db_password`, `githubToken`, `X-Api-Key`."""


@cache
def _compiled() -> dict[str, list[tuple[str, re.Pattern[str], str]]]:
    """Return further sign, expression and replacement of each secret, by its first sign."""
    # At the first text: compiling costs 3 ms of import.
    found: dict[str, list[tuple[str, re.Pattern[str], str]]] = {}
    for secret in SECRETS:
        replacement = (r"\g<kept>" if "(?P<kept>" in secret.pattern else "") + REDACTED
        found.setdefault(secret.signs[0], []).append((secret.signs[-1], re.compile(secret.pattern), replacement))
    return found


_clean: set[str] = set()
_MOST_CLEAN: Final = 4096
_SHORT: Final = 64


def redact(text: str) -> str:
    """Return `text` with its secrets replaced."""
    short = len(text) <= _SHORT
    if short and text in _clean:
        return text  # names of models, stages and hosts come again and again
    found = text
    for first, secrets in _compiled().items():
        if first in found:
            for sign, pattern, replacement in secrets:
                if sign in found:
                    found = pattern.sub(replacement, found)
    if short and found is text and len(_clean) < _MOST_CLEAN:
        _clean.add(text)
    return found


@cache
def _names() -> re.Pattern[str]:
    return re.compile(rf"(?:^|.*_)(?:{'|'.join(SECRET_NAMES)})")


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether what is called `name` is a secret by its name: `api_key`, `apiKey` and `X-Api-Key` alike."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-. ]", "_", name[-64:]).lower()
    return _names().fullmatch(words) is not None
