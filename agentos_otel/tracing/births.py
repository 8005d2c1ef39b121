"""Which task was born by an id on this machine in the last seconds: what racing births see before SQL does.

The task store decides whom an id adopts; but fifty processes that start at once wait longer for its lock than a traced
program may be delayed. Whoever bears a task by an id links a file of that id into place first: one wins, without
waiting, and the others take its task. After `FRESH_S` seconds the store knows, and the file means nothing any more.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from agentos_otel.tracing import task_file

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY: Final = "births"
FRESH_S: Final = 60
ANNOUNCED_S: Final = 24 * 3600


def claim(state_dir: Path, namespace: str, identifier: str, fields: Mapping[str, str]) -> dict[str, str] | None:
    """Claim the birth by `identifier` for the task in `fields`; None if it is ours, else the winner's fields.

    Raises:
        OSError: The state directory cannot be written.
    """
    path = _path(state_dir, namespace, identifier)
    mine = path.with_name(f"{path.name}.{os.getpid()}")
    task_file.write(mine, fields)
    try:
        for _ in range(2):
            with contextlib.suppress(FileExistsError):
                os.link(mine, path)
                return None
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime < FRESH_S:
                    return task_file.read(path)
                path.unlink()
        return None
    finally:
        mine.unlink(missing_ok=True)


def announce(state_dir: Path, namespace: str, identifier: str, fields: Mapping[str, str]) -> None:
    """Say for a day that `identifier` belongs to the task in `fields`, unless another has it.

    Raises:
        OSError: The state directory cannot be written.
    """
    if claim(state_dir, namespace, identifier, fields) is None:
        until = time.time() + ANNOUNCED_S
        os.utime(_path(state_dir, namespace, identifier), (until, until))


def _path(state_dir: Path, namespace: str, identifier: str) -> Path:
    import hashlib  # here: 2 ms of import that most processes need not pay

    name = hashlib.sha256(f"{namespace}\0{identifier}".encode()).hexdigest()[:32]
    return state_dir / DIRECTORY / name


def sweep(state_dir: Path) -> None:
    """Remove what means nothing any more."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(state_dir / DIRECTORY):
            with contextlib.suppress(OSError):
                if time.time() - entry.stat().st_mtime > FRESH_S:
                    os.unlink(entry.path)  # noqa: PTH108 - pathlib costs 5 ms of import
