"""Takes records of the journals in: spans into a batch, and what statements say of resources, births and ends."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agentos_otel import guard
from agentos_otel.errors import StorageError
from agentos_otel.export import marker
from agentos_otel.export.delivery import Batch, Origin
from agentos_otel.export.fold import Piece, Splitter
from agentos_otel.export.keeping import Keeping
from agentos_otel.journal import encoding, reader
from agentos_otel.journal.record import ENDED_SPAN, STATEMENT
from agentos_otel.journal.writer import SUFFIX

CHUNK: Final = 256 << 10
"""Bytes that are read at once; small, since they are in memory several times until they are sent."""
_SAYS: Final = re.compile(rb'"op":"(?:run|run_end|attempt|end|state|keep|reserved)"')
_MAX_SPLITTERS: Final = 1_000


class Intake:
    """What is known of the files that are read.

    Args:
        keeping: Decides which tasks are sent; None sends all, and then running tasks get markers.
    """

    def __init__(self, keeping: Keeping | None) -> None:
        self._keeping = keeping
        self._splitters: dict[str, Splitter] = {}
        self._births: dict[bytes, Piece] = {}  # by root: attempts that began in what is read and not yet sent
        self._reservations = marker.Reservations()

    def begin(self) -> None:
        """Begin a pass."""
        self._births.clear()
        if self._keeping is not None:
            self._keeping.begin()

    def look_at_reservations(self) -> None:
        """Take those tasks for begun that `run` has reserved and nobody has taken over for a while."""
        for birth, resource in self._reservations.due():
            self._mark(birth, resource)

    def add_markers(self, batch: Batch) -> None:
        """Add the markers of attempts that began, and have not ended, in what was taken in."""
        for piece in self._births.values():
            batch.add([piece], ("", 0, 0))
        self._births.clear()

    def take(self, batch: Batch, name: str, path: Path, records: Sequence[reader.Record]) -> None:
        """Put into `batch` what `records` of the file `name` have for sending, and take in what they say."""
        splitter = self.splitter(name, path)
        for record in records:
            if record.field == ENDED_SPAN:
                try:
                    pieces = splitter.split(record.body)
                except ValueError as error:  # its check is right, so that a program wrote it so
                    guard.warn_once("forward a span", "a span of %s is not forwarded: %s", name, error)
                    continue
                origin = (name, record.offset, record.size)
                if self._keeping is not None and self._held(batch, self._keeping, record.body, pieces, origin):
                    continue
                batch.add(pieces, origin)
                if self._births:
                    for piece in pieces:
                        self._births.pop(piece.span_id, None)
            elif record.field == STATEMENT and _SAYS.search(record.body):
                self._hear(batch, name, splitter, record.body)

    def _held(self, batch: Batch, keeping: Keeping, body: bytes, pieces: list[Piece], origin: Origin) -> bool:
        """Whether a record is not for sending now: it waits for the end of its task, or its task is left out."""
        task_id = keeping.spans(body)
        kept = keeping.of(task_id)
        if kept is None:
            batch.hold(task_id, pieces, origin)
        elif not kept:
            batch.count(left_out=len(pieces))
        return kept is not True

    def _hear(self, batch: Batch, name: str, splitter: Splitter, body: bytes) -> None:
        try:
            statement = json.loads(body)
        except ValueError:
            return
        operation = statement.get("op") if isinstance(statement, dict) else None
        if operation == "run_end":
            batch.ended.append(name)
        elif operation == "run":
            splitter.header = _header(statement)
        elif operation == "attempt" and self._keeping is None:
            self._mark(statement, splitter.header or b"")
        elif operation == "reserved" and self._keeping is None:
            self._reservations.heard(statement, splitter.header or b"")
        elif self._keeping is not None:
            self._keeping.heard(statement)

    def _mark(self, birth: Mapping[str, Any], resource: bytes) -> None:
        piece = marker.marker(birth, resource)
        if piece is not None:
            self._births[bytes.fromhex(birth["root_span_id"])] = piece

    def splitter(self, name: str, path: Path) -> Splitter:
        """Return the splitter of a file; it puts the run's whole resource in the place of the record's own."""
        splitter = self._splitters.get(name)
        if splitter is None:
            if len(self._splitters) > _MAX_SPLITTERS:
                self._splitters.clear()
            run_id = path.name.split(".", 1)[0]
            splitter = self._splitters[name] = Splitter(run_id.encode(), _first_header(path.with_name(run_id + SUFFIX)))
        return splitter


def _first_header(path: Path) -> bytes | None:
    """Return the header for a run's spans from the beginning of its first segment; what is said again counts."""
    header = None
    with contextlib.suppress(OSError, StorageError):
        for record in reader.read_file(path, 0, limit=CHUNK).records:
            if record.field == STATEMENT and record.body.startswith(b'{"op":"run",'):
                with contextlib.suppress(ValueError):
                    header = _header(json.loads(record.body))
    return header


def _header(hello: Mapping[str, Any]) -> bytes | None:
    """Return the run's whole resource as the first field of a `ResourceSpans`."""
    resource = hello.get("resource") if isinstance(hello, dict) else None
    return encoding.field(1, encoding.resource(resource)) if isinstance(resource, dict) and resource else None
