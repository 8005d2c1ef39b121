"""Which points of the map a chain has reached, and the table of all points and versions for the docs.

AGENTOS_SRC=FOLDER AGENTOS_PYTHON=PYTHON python -m tests.agentos.points > docs/agentos-points.md
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from agentos_otel.instrumentation.point_map import load_map
from agentos_otel.instrumentation.shipped import MAPS
from tests.agentos.chain import Chain
from tests.agentos.fake_model import FakeModel
from tests.agentos.hosts import VERSIONS, checkout

NOT_REACHED: Final[dict[str, tuple[str, ...]]] = {}
"""Points that a version has and that no step can reach in it."""

_FILES: Final = {
    "cli.intent_builder.run.callback": ("intent", "request.json"),
    "cli.coordinate.coordinate.callback": ("coordination", "intent.json"),
    "cli.answers.create_cmd.callback": ("answers", "question_pack.json"),
    "cli.dry_executor.plan_cmd.callback": ("dry_execution", "intent.json"),
    "cli.executor.run_cmd.callback": ("execution", "execution_request.json"),
}
"""A command leaves neither span nor event, but files: the stage and the name of one that only it names."""


def points() -> list[str]:
    """Return the points of the map, without the package's name."""
    found = [point for point in load_map(MAPS / "agentos.toml").points if point.module.startswith("agentos.")]
    return [f"{point.module.partition('.')[2]}.{point.qualname}" for point in found]


def fired(chain: Chain) -> set[str]:
    """Return the points that left a span, an event or a file in some task of a chain."""
    names: set[str] = set()
    for found in chain.documents():
        files = {(item["stage"], Path(item["path"]).name) for item in found["artifacts"]}
        names.update(point for point, file in _FILES.items() if file in files)
        for span in found["spans"]:
            for attributes in (span["attributes"], *(event["attributes"] for event in span["events"])):
                names.add(str(attributes.get("code.function.name", "")).partition(".")[2])
    return names


def lacking(chain: Chain) -> set[str]:
    """Return the points that the version lacks, or cannot import."""
    out = chain.folder / "tmp" / "signatures.jsonl"
    out.unlink(missing_ok=True)
    script = Path(__file__).with_name("record_profile.py")
    chain.run([chain.host.python, str(script), str(out), "signatures", str(chain.folder)])
    said = [json.loads(line) for line in out.read_text().splitlines()]
    return {item["point"].replace(":", ".") for item in said if "absent" in item}


def main() -> int:
    """Print the table, made by running the chain on each real checkout."""
    columns: dict[str, dict[str, str]] = {}
    with FakeModel() as model:
        for version in sys.argv[1:] or VERSIONS:
            host = checkout(version)
            if host is None:
                print(f"{version}: no checkout in AGENTOS_SRC", file=sys.stderr)
                return 1
            with tempfile.TemporaryDirectory() as folder:
                chain = Chain(host, Path(folder), model.url)
                chain.traced(*chain.steps)
                reached, lacks = fired(chain), lacking(chain)
            columns[version] = {
                point: "fired" if point in reached else "lacks it" if point in lacks else "not reached"
                for point in points()
            }
    print(HEADER)
    print(f"| point | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for point in points():
        print(f"| `{point}` | {' | '.join(column[point] for column in columns.values())} |")
    return 0


HEADER = """\
# The points of AgentOS, version by version

Made by `python -m tests.agentos.points`, which runs the chain of `tests/agentos/driver.py` on published versions.
*fired*: the point left a span, an event or a file. *lacks it*: the version has no such target, or cannot import its
module.
"""

if __name__ == "__main__":
    sys.exit(main())
