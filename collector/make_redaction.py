"""Prints redaction.yaml or transform.yaml, made from the library's own patterns: `make docs`."""

from __future__ import annotations

import json
import re
import sys

from agentos_otel.tracing.redaction import REDACTED, SECRET_NAMES, SECRETS

REDACTION = """\
# Secrets by their form and by their name, in the attributes of spans, events and resources.
# Made by `make docs` from agentos_otel/tracing/redaction.py.
allow_all_keys: true
blocked_key_patterns:
{names}
blocked_values:
{values}"""

TRANSFORM = """\
# What the redaction of attributes does not reach, and a limit for what Badger cannot keep.
# Made by `make docs` from agentos_otel/tracing/redaction.py and collector/make_redaction.py.
#
# Jaeger on Badger makes a key of each attribute and refuses a request with one over 65,000 bytes as "unavailable": it
# would be sent again for ever, and all that is in the same batch with it. So texts are cut, and say so. (Lists cannot
# be cut here: one of such a length, which only others make, has to be limited at its source.)
error_mode: ignore
# One group for each kind of thing: a group runs for its innermost one alone, such as for each event.
trace_statements:
  - statements:
{messages}
      - set(span.status.message, Substring(span.status.message, 0, 32768)) where Len(span.status.message) > 32768
      - set(span.name, Substring(span.name, 0, 1024)) where Len(span.name) > 1024
      - truncate_all(span.attributes, 32768, true, "… (cut)")
  - statements:
      - truncate_all(resource.attributes, 32768, true, "… (cut)")
  - statements:
      - truncate_all(spanevent.attributes, 32768, true, "… (cut)")"""


def patterns() -> list[str]:
    """Return the patterns as the Collector's regular expressions, which know no look-around.

    What the library keeps of a match (`password=`) is replaced too: the Collector replaces matches whole.
    """
    return [re.sub(r"\(\?=(.*?)\)", r"\1", secret.pattern).replace("?P<kept>", "?:") for secret in SECRETS]


def names() -> list[str]:
    """Return the patterns of names: words apart by any sign, and words apart by capitals."""
    apart = "|".join(name.replace("_", "[-._ ]?") for name in SECRET_NAMES)
    capitals = "|".join("".join(word.capitalize() for word in name.split("_")) for name in SECRET_NAMES)
    return [f"(?i)(?:^|[-._ ])(?:{apart})$", f"[a-z0-9](?:{capitals})$"]


def statement(pattern: str) -> str:
    """Return the statement that takes a secret out of a status message."""
    return f"replace_pattern(span.status.message, {json.dumps(pattern, ensure_ascii=False)}, {json.dumps(REDACTED)})"


def main() -> None:
    """Print the file that is named."""
    if sys.argv[1:] == ["transform"]:
        messages = "\n".join(f"      - {json.dumps(statement(pattern))}" for pattern in patterns())
        print(TRANSFORM.format(messages=messages))
    else:
        listed = ["\n".join(f"  - {json.dumps(pattern)}" for pattern in found) for found in (names(), patterns())]
        print(REDACTION.format(names=listed[0], values=listed[1]))


if __name__ == "__main__":
    main()
