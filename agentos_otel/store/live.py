"""The journals that are not done: where they are, whose lock on them can be seen from here, and how each ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from agentos_otel.context.resource import boot_id
from agentos_otel.journal import reader
from agentos_otel.journal.record import STATEMENT
from agentos_otel.journal.writer import SUFFIX
from agentos_otel.store import decode

_HEAD: Final = 16384
_TAIL: Final = 4096


@contextlib.contextmanager
def opened(path: Path | str, flags: int) -> Iterator[int]:
    """Open a journal file by the flags of `os.open`; a link or a pipe in its place is refused with OSError."""
    descriptor = reader.open_descriptor(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_alive(path: Path) -> bool:
    """Whether the writer of the journal at `path` (its first segment) lives; probes with a shared lock."""
    with contextlib.suppress(OSError, ValueError), opened(path, os.O_RDONLY) as descriptor:
        return is_locked(descriptor)
    return False


def is_locked(descriptor: int) -> bool:
    """Whether somebody else has locked the file that is open at `descriptor`: its writer, or a reaper."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _is_dead(path: str, further: list[Path]) -> bool:
    """Whether a run was not done and its file not locked when it was looked at."""
    with contextlib.suppress(OSError), opened(path, os.O_RDONLY) as descriptor:
        return last_statement(descriptor, further).get("op") != "run_end" and not is_locked(descriptor)
    return False


class LiveJournals:
    """The journals that are not done, by host.

    Args:
        folder: `…/journal/live`.
        host: Name of this host.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self._folder = folder
        self._host = host

    def dead(self) -> Iterator[tuple[Path, list[Path]]]:
        """Yield of each run that is dead and not done the first segment, and all in order; one look at each folder."""
        for folder in sorted(self._folder.glob("*")):
            further: dict[str, list[str]] = {}
            first: list[str] = []
            with contextlib.suppress(OSError):
                for name in os.listdir(folder):  # noqa: PTH208 - ten thousand names, and no Path for each
                    if name.endswith(SUFFIX) and not name.startswith("."):
                        stem, _, rest = name.partition(".")
                        if len(rest) == len(SUFFIX) - 1:
                            first.append(name)
                        else:
                            further.setdefault(stem, []).append(name)
            for name in sorted(first):
                others = sorted(further.get(name.partition(".")[0], ()), key=lambda other: (len(other), other))
                segments = [folder / other for other in others]
                if _is_dead(f"{folder}/{name}", segments):
                    yield folder / name, [folder / name, *segments]

    def path(self, row: dict[str, Any]) -> Path:
        """Return where the journal of a run is, if it is in this directory."""
        return self._folder / str(row["host"]) / f"{row['run_id']}{SUFFIX}"

    def sees(self, path: Path, descriptor: int) -> bool:
        """Whether a lock on the journal, which is open at `descriptor`, would be seen from here."""
        if path.parent.name == self._host:
            return True
        records = reader.parse(os.pread(descriptor, _HEAD, 0)).records
        boot = decode.statement(records[0].body).get("boot") if records and records[0].field == STATEMENT else None
        return bool(boot) and boot == boot_id()


def last_statement(descriptor: int, further: list[Path]) -> dict[str, Any]:
    """Return what a run has said last, empty if its last record is none; read from the tail, so that it costs little.

    The reaper writes into the first segment, a run that ends into its last.
    """
    last = _statement_at_end(descriptor)
    if last.get("op") not in ("run_end", "owes") and further:
        with opened(further[-1], os.O_RDONLY) as other:
            return _statement_at_end(other)
    return last


def _statement_at_end(descriptor: int) -> dict[str, Any]:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    begin = max(tail.rfind(b'{"op":"run_end"'), tail.rfind(b'{"op":"owes"'))
    if begin < 0:
        return {}
    tail = tail[max(0, begin - 3) :]  # tag and length are 2 or 3 bytes
    records = reader.parse(tail, final=True).records
    whole = records and records[-1].offset + records[-1].size == len(tail) and records[-1].field == STATEMENT
    return decode.statement(records[-1].body) if whole else {}
