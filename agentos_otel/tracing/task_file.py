"""The file that tells commit hooks and child processes which task is current: `key=value` lines, mode 0600."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Final

from agentos_otel.context.attempt import Attempt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DIRECTORY: Final = "current"


def fields_of(attempt: Attempt, commits: Path | str) -> dict[str, str]:
    """Return what the file of `attempt` says; hooks append the commits that they see to `commits`."""
    fields = {
        "task_id": attempt.task_id,
        "session_id": attempt.session_id,
        "commits": str(commits),
        "attempt": str(attempt.number),
        "root_span_id": attempt.root_id.hex(),
        "root_start_ns": str(attempt.root_start_ns),
        "root_name": attempt.root_name.replace("\n", " "),
        "root_parent_id": attempt.root_parent.hex(),
        "resource": json.dumps(dict(attempt.resource)),
        "attempt_trace_id": attempt.trace_hex,
    }
    if attempt.sampled:
        fields["trace_id"] = attempt.trace_hex
    return fields


def write(path: Path, fields: Mapping[str, str]) -> None:
    """Write the file, replacing by rename so that a hook never reads half of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{key}={value}\n" for key, value in fields.items())
    temporary.rename(path)


def read(path: str | Path) -> dict[str, str]:
    """Return the fields of the file; empty if it is gone or unreadable."""
    lines = _text(path).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def attempt_of(fields: Mapping[str, str]) -> Attempt | None:
    """Return the attempt that a file names, or None where the file does not say it whole."""
    with contextlib.suppress(KeyError, ValueError):
        attempt = Attempt(
            fields["task_id"],
            fields["session_id"],
            bytes.fromhex(fields["attempt_trace_id"]),
            bytes.fromhex(fields["root_span_id"]),
            int(fields["root_start_ns"]),
            root_name=fields["root_name"],
            number=int(fields["attempt"]),
            sampled="trace_id" in fields,
        )
        attempt.root_parent = bytes.fromhex(fields["root_parent_id"])
        attempt.resource = json.loads(fields["resource"])
        return attempt
    return None


def claim(path: str, by: str = "") -> bool:
    """Take the reservation of a `run` over; exactly one caller gets True, in whatever process.

    A `by` is kept with the claim, and the same one may claim again: a reaper that was killed before it had used its
    claim is followed by another.
    """
    taken = f"{path}.taken"
    mine = f"{taken}.{by or os.getpid()}"
    try:
        descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, by.encode())
        finally:
            os.close(descriptor)
        os.link(mine, taken)  # with its content at once, unlike O_EXCL
    except FileExistsError:
        return bool(by) and _text(taken) == by
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            os.unlink(mine)  # noqa: PTH108 - pathlib costs 5 ms of import
    return True


def _text(path: str | Path) -> str:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 5 ms of import
            return file.read()
    except (OSError, UnicodeDecodeError, ValueError):
        return ""


def is_claimed(path: str) -> bool:
    """Whether the reservation was taken over or discarded."""
    return os.path.exists(f"{path}.taken")  # noqa: PTH110 - pathlib costs 5 ms of import
