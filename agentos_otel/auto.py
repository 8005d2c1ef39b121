"""Activation at import: `import agentos_otel.auto`, or `python -m agentos_otel.auto -m MODULE …`.

Activation only: no owner, no reserved ids, no change to the environment (design 3.6).
"""

from __future__ import annotations

import sys

from agentos_otel import bootstrap, guard
from agentos_otel.errors import AgentosOtelError
from agentos_otel.tracing import runtime

_USAGE = "usage: python -m agentos_otel.auto (-m MODULE | SCRIPT.py) [ARGUMENT …]"


def activate() -> None:
    """Activate tracing; in a host's import a mistake of the user's is a warning, never an exception."""
    runtime.factory = runtime.factory or bootstrap.default
    try:
        bootstrap.activate()
    except AgentosOtelError as error:
        guard.warn_once("activation", "tracing is not activated: %s", error)
    except Exception as error:  # noqa: BLE001 - the host's import goes on
        guard.failed("activation", error)


def main(arguments: list[str]) -> None:
    """Run a module or script with tracing active, as `python` itself would."""
    from agentos_otel.instrumentation import imports

    runtime.factory = runtime.factory or bootstrap.default
    if not arguments or arguments[0] in ("-h", "--help") or (arguments[0] == "-m" and len(arguments) == 1):
        sys.exit(_USAGE)
    try:
        bootstrap.activate()
    except AgentosOtelError as error:
        sys.stderr.write(f"agentos-otel: {error}\n")
        sys.exit(2)
    if arguments[0] == "-m":
        imports.run_module(arguments[1], arguments[2:])
    else:
        imports.run_path(arguments[0], arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
else:
    activate()
