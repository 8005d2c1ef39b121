"""What a process says of itself: the small resource on each record, and the whole one that opens its journal."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from typing import Any

from agentos_otel import semconv


def host_name() -> str:
    """Return the name of this host as a folder's name."""
    return platform.node().replace("/", "_") or "localhost"


def boot_id() -> str:
    """Return the id of the running kernel, the same in all its containers; empty where it has none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123 - cheaper
            return file.read().strip()
    except OSError:
        return ""


def program_name() -> str:
    """Return what runs here, by name alone: a command line may hold a prompt or a secret (design 3.11)."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__")
    return os.path.basename(sys.argv[0] if sys.argv and sys.argv[0] else sys.executable)  # noqa: PTH119 - cheaper


class RunResource:
    """The resource of this process.

    Args:
        service_name: Given by the settings; empty takes the program's name.

    Attributes:
        program: What runs here.
        host: Name of this host.
    """

    def __init__(self, service_name: str = "") -> None:
        self.program = program_name()
        self.host = host_name()
        self._service_name = service_name or self.program
        self._whole: Mapping[str, Any] = {}

    def adopt(self, attributes: Mapping[str, Any]) -> None:
        """Take over the resource of the host's provider; a service that it leaves unknown keeps our name for it."""
        named = str(attributes.get(semconv.SERVICE_NAME, ""))
        if named and not named.startswith("unknown_service"):
            self._service_name = named
        self._whole = dict(attributes)

    def small(self, run_id: str) -> dict[str, Any]:
        """Return what each record of the run `run_id` carries."""
        return {
            semconv.SERVICE_NAME: self._service_name,
            semconv.SERVICE_INSTANCE_ID: run_id,
            semconv.PROCESS_PID: os.getpid(),
            semconv.HOST_NAME: self.host,
        }

    def statement(self, run_id: str, at: int) -> dict[str, Any]:
        """Return the statement that opens a journal; said again, the later one counts."""
        return {
            "op": "run",
            "run_id": run_id,
            "resource": {**self._whole, **self.small(run_id)},
            "program": self.program,
            "host": self.host,
            "boot": boot_id(),
            "pid": os.getpid(),
            "python": platform.python_version(),
            "at": at,
        }
