"""The forwarder as one daemon thread of the traced process: started by the first record, never waited for but once.

A process that lives for milliseconds pays for a thread that sleeps: what is heavy (HTTP, SQLite) is imported when the
thread first wakes. At exit it is waited for only where that can bring something: not after a failure, and not in one of
many short commands, which leave what they wrote to the next.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from agentos_otel import guard
from agentos_otel.errors import AgentosOtelError
from agentos_otel.export.claim import claim

if TYPE_CHECKING:
    from pathlib import Path

    from agentos_otel.export.forwarder import Forwarder

INTERVAL_S: Final = 1.0
EXIT_WAIT_S: Final = 1.0
SHORT_LIFE_S: Final = 5.0
_AFTER_OUR_FAILURE_S: Final = 60.0


class BackgroundForwarder:
    """Runs a forwarder beside the traced program.

    Args:
        make: Makes the forwarder, in the thread; what it raises is logged once.
        state_dir: The state directory.
    """

    def __init__(self, make: Callable[[], Forwarder], state_dir: Path) -> None:
        self._make = make
        self._state_dir = state_dir
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        # A fork's child has no threads but the one that forked; it starts its own at its first record.
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._failing = self._worthwhile = False
        self._began = time.monotonic()

    def start(self) -> None:
        """Start the thread, once; called with this process's first record."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="agentos-otel-forwarder", daemon=True)
            guard.guarded("forwarding", claim, self._state_dir)
            guard.guarded("forwarding", self._thread.start)

    def finish(self, *, task_ended: bool) -> None:
        """Let the thread send what is left; waits at most `EXIT_WAIT_S`, and mostly not at all.

        Args:
            task_ended: This process has written the root of a task.
        """
        thread, self._thread = self._thread, None
        if thread is None or not thread.is_alive():
            return
        short = time.monotonic() - self._began < SHORT_LIFE_S
        self._worthwhile = not self._failing and (task_ended or not short)
        self._stop.set()
        if self._worthwhile:
            thread.join(EXIT_WAIT_S)

    def _run(self) -> None:
        stop, wait = self._stop, INTERVAL_S
        forwarder: Forwarder | None = None
        while True:
            stopping = stop.wait(wait)
            if stopping and not self._worthwhile:
                break
            try:
                forwarder = forwarder or self._make()
                progress = forwarder.pump(thorough=stopping)
                self._failing = bool(progress.failed)
                wait = max(progress.wait, INTERVAL_S)
            except AgentosOtelError as error:
                guard.warn_once("forwarding", "spans stay in the journal and are not sent: %s", error)
                self._failing, wait = True, _AFTER_OUR_FAILURE_S
            except Exception as error:  # noqa: BLE001 - the host goes on
                guard.failed("forwarding", error)
                self._failing, wait = True, _AFTER_OUR_FAILURE_S
            if stopping:
                break
        if forwarder is not None:
            guard.guarded("forwarding", forwarder.close)
