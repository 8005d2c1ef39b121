"""Runs the facts on one product and writes their outcomes: `python -m tests.conformance.run_peer ADAPTER PYTHON`.

A product may take the interpreter down with it. Outcomes are written as they come; what ran last is then noted as the
one that did it, and the rest goes on in another process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from tests.conformance.table import HERE, facts

OPTIONS = (
    "-q",
    "-pno:cacheprovider",
    "-c/dev/null",
    "--rootdir=.",
    "--import-mode=importlib",
    "--timeout=60",
    "-Wignore",
)


def run(adapter: str, python: str) -> dict[str, Any]:
    """Return the outcomes of all facts: their failures, by fact."""
    left = [f"tests/conformance/{path}" for _, path, _ in facts()]
    found: dict[str, list[str]] = {}
    product: dict[str, Any] = {}
    while left:
        with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as file:
            environ = {**os.environ, "ADAPTER": adapter, "CONFORMANCE_OUTCOMES": file.name}
            done = subprocess.run(
                [python, "-m", "pytest", *OPTIONS, *left], env=environ, check=False, capture_output=True
            )
            events = [json.loads(line) for line in file]
        started = ""
        for event in events:
            product.update(event.get("product", {}))
            if "started" in event:
                started = event["started"]
                found.setdefault(started, [])
            found.get(started, []).extend(event.get("failed", []))
        if done.returncode in (0, 1):
            break
        if not started:
            raise SystemExit(f"{adapter} cannot be run: {done.stdout.decode()[-500:]}")
        found[started].append(f"the interpreter died (exit code {done.returncode})")
        left = [path for path in left if path.removeprefix("tests/conformance/") not in found]
    return {**product, "facts": dict(sorted(found.items()))}


def main() -> None:
    """Write the outcomes and print how many facts hold."""
    adapter, python = sys.argv[1:]
    outcomes = run(adapter, python)
    path = HERE / "results" / f"{adapter}.json"
    path.write_text(json.dumps(outcomes, indent=1, ensure_ascii=False) + "\n")
    held = sum(not why for why in outcomes["facts"].values())
    print(f"{outcomes['title']} {outcomes['version']}: {held} of {len(outcomes['facts'])} facts hold")


if __name__ == "__main__":
    main()
