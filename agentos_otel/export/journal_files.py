"""Which journal files have grown since they were last read, found without looking at each of ten thousand each time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Final

from agentos_otel.journal.writer import SUFFIX

LIVE: Final = "live"
_COLD_AFTER_S: Final = 600.0
_LOOK_AGAIN_S: Final = 60.0
_TICK_NS: Final = 50_000_000


class JournalFiles:
    """The files under `live/`, of all hosts; what is under `done/` is sent already.

    Args:
        journal_dir: The folder of the journals.
    """

    def __init__(self, journal_dir: Path) -> None:
        self._journal_dir = journal_dir
        self._listed: dict[str, tuple[int, list[str]]] = {}  # by host: the folder's time of change, names
        self._rest: dict[str, float] = {}  # by name: not to be looked at before

    def grown(self, offsets: Mapping[str, int], *, thorough: bool = False) -> Iterator[tuple[str, Path]]:
        """Yield name (relative to the folder of the journals) and path of each file with bytes behind its offset.

        Args:
            offsets: How far each file is read.
            thorough: Look at quiet files too, not only once a minute.
        """
        now = time.monotonic()
        for name in self.names():
            rest = self._rest.get(name, 0.0)
            if now < rest and (rest == inf or not thorough):
                continue
            path = self._journal_dir / name
            try:
                status = os.stat(path)  # noqa: PTH116 - half the time, ten thousand times
            except OSError:
                continue  # merged or pruned since it was listed
            if status.st_size > offsets.get(name, 0):
                self._rest.pop(name, None)
                yield name, path
            elif time.time() - status.st_mtime > _COLD_AFTER_S:
                self._rest[name] = now + _LOOK_AGAIN_S

    def ended(self, name: str) -> None:
        """Note that the file's end record was read: nobody writes it any more."""
        self._rest[name] = inf

    def names(self) -> Iterator[str]:
        """Yield the names of all files; a folder that has not changed is not listed again."""
        live = self._journal_dir / LIVE
        try:
            hosts = [entry.name for entry in os.scandir(live) if entry.is_dir()]
        except OSError:
            return
        for host in hosts:
            try:
                yield from self._names_of(host, live / host)
            except OSError:
                continue

    def _names_of(self, host: str, folder: Path) -> list[str]:
        changed = os.stat(folder).st_mtime_ns  # noqa: PTH116 - as above
        listed = self._listed.get(host)
        if listed is not None and listed[0] == changed:
            return listed[1]
        began = time.time_ns()
        with os.scandir(folder) as entries:
            names = [f"{LIVE}/{host}/{e.name}" for e in entries if e.name.endswith(SUFFIX) and e.name[0] != "."]
        # Within one tick of the file system's clock a folder changes twice and shows one time.
        self._listed[host] = (changed if began - changed > _TICK_NS else -1, names)
        return names
