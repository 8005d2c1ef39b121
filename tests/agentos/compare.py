"""Holds the stand-in against each real checkout, and prints where they differ at a point of the map.

    AGENTOS_SRC=FOLDER AGENTOS_PYTHON=PYTHON python -m tests.agentos.compare > tests/agentos/comparison.txt

Compared are, for each point and version: whether it is there, its kind and parameters, the types and keys of what it
returned in the driver's steps, and the types of its exceptions.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.agentos.chain import Chain
from tests.agentos.fake_model import FakeModel
from tests.agentos.hosts import VERSIONS, Host, checkout, stand_in

Profile = dict[str, set[str]]


def profile(host: Host, url: str) -> Profile:
    """Return what each point showed, as lines of JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chain = Chain(host, folder, url)
        out = folder / "profile.jsonl"
        for step in ("signatures", *chain.steps):
            script = Path(__file__).with_name("record_profile.py")
            chain.run([host.python, str(script), str(out), step, str(folder)])
        found: Profile = {}
        for line in out.read_text().splitlines():
            said = json.loads(line)
            found.setdefault(said.pop("point"), set()).add(json.dumps(said, sort_keys=True))
        return found


def differences(real: Profile, ours: Profile) -> list[str]:
    """Return one line for each thing that only one of the two shows."""
    lines = []
    for point in sorted(real.keys() | ours.keys()):
        for who, here, there in (("only real", real, ours), ("only stand-in", ours, real)):
            lines += [f"{who}: {point}: {said}" for said in sorted(here.get(point, set()) - there.get(point, set()))]
    return lines


def main() -> int:
    """Compare every version that is there; the exit code says whether anything differs."""
    wrong = 0
    with FakeModel() as model, tempfile.TemporaryDirectory() as folder:
        for version in sys.argv[1:] or VERSIONS:
            real = checkout(version)
            if real is None:
                print(f"{version}: no checkout in AGENTOS_SRC")
                wrong += 1
                continue
            into = Path(folder) / version
            into.mkdir()
            found = profile(real, model.url)
            lines = differences(found, profile(stand_in(version, into), model.url))
            wrong += len(lines)
            print(f"{version}: {len(found)} points, {sum(map(len, found.values()))} facts, {len(lines)} differences")
            print("".join(f"  {line}\n" for line in lines), end="")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
