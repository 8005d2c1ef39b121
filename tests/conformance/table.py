"""Prints the table of facts and products from the outcomes in `results/`: `python -m tests.conformance.table`."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ORDER = ("agentos_otel", "otel", "logfire", "traceloop", "langfuse", "openinference", "mlflow", "laminar")
GROUPS = ("callables", "identity", "generators", "endings", "arguments", "context", "coexistence", "logs")
HEAD = """# Conformance

What decorated functions do, as facts that are tested: a fact holds for a product when the decorated function does what
the undecorated one does in the same test, and the spans are what the test states. Each row is a file in
`tests/conformance`; each product is driven by an adapter of a few lines in `tests/conformance/adapters`, by its main
decorator as its documentation shows it.

    make conformance        # ours: a part of `make test`
    make conformance-peers  # the others, each in an environment of its own; makes this page

**no**: at least one test of the file failed; why is in `tests/conformance/results`. n/a: the product has no such thing.
A row may hold several tests, so that a no can be a small thing or a large one: read the file before judging by it.
"""
TAIL = """
Known limits, which every wrapper written in Python shares: `inspect.getfullargspec` and `inspect.getsourcefile`, which
do not follow `__wrapped__`, show the wrapper; each decorated call takes two frames of the recursion limit; arguments
live as long as the call; an exception that passes is marked with an attribute, so that it is recorded once.
"""


def facts() -> list[tuple[str, str, str]]:
    """Return group, path and title of each fact."""
    return [
        (_title(HERE / group / "__init__.py"), path.relative_to(HERE).as_posix(), _title(path))
        for group in GROUPS
        for path in sorted((HERE / group).glob("test_*.py"))
    ]


def _title(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.splitlines()[0].rstrip(".")


def table() -> str:
    """Return the page."""
    results: dict[str, dict[str, Any]] = {
        name: json.loads(file.read_text()) for name in ORDER if (file := HERE / "results" / f"{name}.json").exists()
    }
    lines, group = [HEAD], ""
    for title, path, fact in facts():
        if title != group:
            group = title
            heads = [f"{result['title']}" for result in results.values()]
            lines += ["", f"## {title}", "", f"| | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
        lines.append(f"| {fact} | {' | '.join(_cell(result, path) for result in results.values())} |")
    versions = ", ".join(f"{result['title']} {result['version']}" for result in results.values())
    held = [f"{r['title']} {sum(not why for why in r['facts'].values())}" for r in results.values()]
    lines += ["", f"Facts that hold, of {len(facts())}: {', '.join(held)}.", "", f"Versions: {versions}."]
    return "\n".join(lines) + "\n" + TAIL


def _cell(result: dict[str, Any], path: str) -> str:
    reasons = result["facts"].get(path)
    if reasons is None:
        return "?"
    if set(reasons) == {"-"}:
        return "n/a"
    return "**no**" if reasons else "yes"


if __name__ == "__main__":
    print(table(), end="")
