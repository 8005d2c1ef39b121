"""What a base install brings: distributions and megabytes, in a venv of its own; prints one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

HOME = Path(__file__).parents[1]


def main() -> None:
    """Install and count."""
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", name], check=True)
        site = next(Path(name).glob("lib/python*/site-packages"))
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-compile", "--target", str(site), str(HOME)]
        subprocess.run(command, check=True)
        size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file() and path.suffix != ".pyc")
        print(json.dumps({"distributions": len(list(site.glob("*.dist-info"))), "mb": round(size / 1e6, 1)}))


if __name__ == "__main__":
    main()
