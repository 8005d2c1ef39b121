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


class Instrumentor:
    """The entry point `opentelemetry_instrumentor`, by which `opentelemetry-instrument` activates us.

    Not a subclass of its `BaseInstrumentor`: that is in a package which nothing else here needs, and what loads the
    entry point calls these three methods alone.
    """

    def instrument(self, **options: object) -> None:
        """Activate tracing; the options are those of other instrumentations."""
        activate()

    def uninstrument(self, **options: object) -> None:
        """Do nothing: what a module has taken of another cannot be given back."""

    def instrumentation_dependencies(self) -> tuple[str, ...]:
        """Return no requirements: the hosts are looked for when they are imported."""
        return ()


def activate_by_hook(module: object) -> None:
    """Activate tracing; called by wrapt for `AUTOWRAPT_BOOTSTRAP=agentos_otel`, once site is imported."""
    activate()


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
