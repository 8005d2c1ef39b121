"""Prints docs/redaction.md, made from the patterns themselves."""

from __future__ import annotations

from agentos_otel.tracing.limits import MAX_TEXT
from agentos_otel.tracing.redaction import REDACTED, SECRET_NAMES, SECRETS, redact

HEAD = f"""# Redaction

Made by `make docs` from `agentos_otel/tracing/redaction.py`, the one place with the patterns.

Arguments and results are not kept unless `AGENTOS_OTEL_CAPTURE` or a point's `capture` says so. What is kept (captured
values, attributes, exceptions, log records) is cut to {MAX_TEXT:,} characters while it is made, and each secret in it
is replaced by `{REDACTED}` before anything is written. A pattern is no proof: what has neither form nor name passes.

## By their form, wherever they stand in a text

| secret | example | what is kept |
|---|---|---|"""


NAMES = """
## By their name

The value of a parameter, key or field whose name ends in one of these words, however it is written (`db_password`,
`githubToken`, `X-Api-Key`):
"""


def main() -> None:
    """Print the page."""
    print(HEAD)
    for secret in SECRETS:
        example = secret.example.replace("\n", "⏎")
        print(f"| {secret.name} | `{example}` | `{redact(secret.example)}` |")
    print(NAMES)
    print("\n".join(f"- `{name}`" for name in SECRET_NAMES))


main()
