"""Fuzzes one parser with atheris: `python -m tests.fuzz TARGET [SECONDS]` (`make fuzz-bytes` runs all of them).

What was found interesting is kept in `.fuzz/TARGET` for the next run; what fails is written to `.fuzz/TARGET-…`, and
`python -m tests.fuzz TARGET FILE` shows it again.
"""

from __future__ import annotations

import hashlib
import resource
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["agentos_otel"], enable_loader_override=False):
    from tests.fuzz.seeds import seeds
    from tests.fuzz.targets import TARGETS

_LARGEST = 1 << 14
_MEMORY = 2 << 30
_OPTIONS = ["-timeout=20", f"-max_len={_LARGEST}", "-print_final_stats=1", "-verbosity=0"]
"""Seconds that one input may take: a hang is a failure too."""


def main(name: str, what: str = "180") -> None:
    """Fuzz one target for some seconds, or show again what one file does."""
    folder = Path(".fuzz") / name
    folder.mkdir(parents=True, exist_ok=True)
    if what.isdigit():
        for seed in seeds()[name]:
            (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed[:_LARGEST])
        options = [str(folder), f"-max_total_time={what}", f"-artifact_prefix=.fuzz/{name}-"]
    else:
        options = [what]
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))  # libFuzzer's own limit sees no more than samples
    atheris.Setup([sys.argv[0], *_OPTIONS, *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
