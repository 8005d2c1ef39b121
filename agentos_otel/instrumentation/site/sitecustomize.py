"""Put on PYTHONPATH by `agentos-otel run`: activates tracing if the package is here, then steps aside."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

_here = str(Path(__file__).resolve().parent)
sys.path[:] = [entry for entry in sys.path if not entry or str(Path(entry).resolve()) != _here]


def _chain() -> None:
    """Run the sitecustomize that this one hides."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


with suppress(Exception):  # absent in this interpreter, or broken: the child starts all the same
    import agentos_otel.auto  # noqa: F401 - activates
_chain()
