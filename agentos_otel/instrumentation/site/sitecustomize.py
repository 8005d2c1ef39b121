"""Put on PYTHONPATH by `agentos-otel run`: activates tracing if the package is here, then steps aside.

PYTHONPATH reaches every interpreter that the command starts, of any version: so no annotations and no __future__ import
here (Python 2 prints an error for it at each start), and none of pathlib and contextlib, which cost 5 ms a process.
"""
# ruff: noqa: I002, PTH100, PTH120, SIM105

import os.path
import sys

_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != _here]

try:
    import agentos_otel.auto  # noqa: F401 - activates
except Exception:  # noqa: BLE001, S110 - absent in this interpreter, or broken: the child starts all the same
    pass

# The sitecustomize that this one hides. Imported under its own name, so that it has the usual `__spec__` and cached
# code, and site.py says its errors as ever. Ours is put back where there is none: the import system misses it.
_ours = sys.modules.pop("sitecustomize", None)
try:
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
except ImportError as _error:
    if getattr(_error, "name", "sitecustomize") != "sitecustomize":
        raise
finally:
    if _ours is not None:
        sys.modules.setdefault("sitecustomize", _ours)
