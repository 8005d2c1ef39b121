"""Prints docs/reference.md, made from the docstrings of the public names."""

from __future__ import annotations

import inspect

import agentos_otel
from agentos_otel import testing


def main() -> None:
    """Print the page."""
    print(
        "# Reference\n\nMade from the docstrings by `make docs`; the shell's commands explain themselves by `--help`."
    )
    for name in sorted(agentos_otel.__all__, key=str.lower):
        value = getattr(agentos_otel, name)
        print(f"\n## `{name}`\n\n```text\n{inspect.getdoc(value)}\n```")
        if inspect.isclass(value) and name in ("Task", "Session", "TaskManager", "CurrentTask"):
            for method, function in vars(value).items():
                if not method.startswith("_") and callable(getattr(value, method, None)):
                    bare = getattr(function, "__func__", function)
                    signature = str(inspect.signature(bare)).replace("'", "")
                    print(f"\n### `{name}.{method}{signature}`\n\n```text\n{inspect.getdoc(bare)}\n```")
    print(f"\n## `testing.recording`\n\n```text\n{inspect.getdoc(testing.recording)}\n```")


main()
