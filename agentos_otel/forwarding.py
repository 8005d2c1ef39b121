"""Puts the forwarder together from the settings: for a thread of the traced process, and for the shell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from agentos_otel import semconv
from agentos_otel.errors import ConfigurationError, NotFoundError, StorageError
from agentos_otel.export.background import BackgroundForwarder

if TYPE_CHECKING:
    from pathlib import Path

    from agentos_otel.export.destination import Destination
    from agentos_otel.export.forwarder import Forwarder
    from agentos_otel.export.positions import Positions
    from agentos_otel.export.sender import Sender
    from agentos_otel.settings import Settings
    from agentos_otel.tasks.store import TaskStore

OpenStore = Callable[[], "TaskStore"]


def background_forwarder(settings: Settings, open_store: OpenStore) -> BackgroundForwarder:
    """Return what sends the journals on from a thread of this process, once it is started."""
    return BackgroundForwarder(lambda: open_forwarder(settings, open_store), settings.state_dir)


def open_forwarder(settings: Settings, open_store: OpenStore) -> Forwarder:
    """Return the forwarder for the destination that `settings` name.

    Raises:
        ConfigurationError: They name none, or one that cannot be meant.
        StorageError: Its positions cannot be opened.
    """
    from agentos_otel.export.forwarder import Forwarder

    destination = settings.destination()
    if destination is None:
        raise ConfigurationError(f"there is nowhere to send to: set {semconv.OTEL_EXPORTER_OTLP_PREFIX}ENDPOINT")
    ended = _ended(open_store()) if settings.keep < 1 else None
    return Forwarder(settings.state_dir, open_sender(destination), settings.keep, ended)


def open_sender(destination: Destination) -> Sender:
    """Return the sender for `destination`; it connects at its first request.

    Raises:
        ConfigurationError: What the destination needs is missing here, or its certificates cannot be used.
    """
    if destination.protocol == "grpc":
        try:
            from agentos_otel.export.grpc_sender import GrpcSender
        except ImportError as error:
            raise ConfigurationError(
                "OTEL_EXPORTER_OTLP_PROTOCOL=grpc needs grpcio: install agentos-otel[grpc], or set http/protobuf"
            ) from error
        return GrpcSender(destination)
    from agentos_otel.export.http_sender import HttpSender

    return HttpSender(destination)


class Sent:
    """What the forwarder has done, for those who ask; where nothing was ever to be sent, all is done.

    Args:
        state_dir: The state directory.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._positions: Positions | None = None

    def _opened(self) -> Positions | None:
        if self._positions is None:
            from agentos_otel.export import positions

            self._positions = positions.read(self._state_dir)
        return self._positions

    def is_done(self, path: Path) -> bool:
        """Whether nothing of the journal file at `path`, whose run has ended, is still to be sent."""
        try:
            known = self._opened()
            return known is None or known.is_done(self._state_dir / "journal", path)
        except StorageError:
            return False  # `doctor` says what is wrong; until then the file stays

    def failed(self, traces: Sequence[str]) -> int:
        """Return how many spans of these traces (hex digits) the endpoint has refused."""
        try:
            known = self._opened()
            return known.failed_to_send(traces) if known is not None else 0
        except StorageError:
            return 0  # a document is more than what was sent of it


def _ended(store: TaskStore) -> Callable[[Sequence[str]], Mapping[str, str]]:
    """Return what asks the task store which tasks have ended: another host's journal may be the one that says so."""

    def ended(task_ids: Sequence[str]) -> Mapping[str, str]:
        found = {}
        with suppress(StorageError):  # asked again; what this host's journals say is known without
            for task_id in task_ids:
                with suppress(NotFoundError):
                    row = store.task(task_id)
                    if row["ended_ns"] is not None:
                        found[task_id] = str(row["status"])
        return found

    return ended
