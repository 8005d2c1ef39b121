"""A lock that the child of a fork finds free: another thread may have held it, and is not there to release it."""

from __future__ import annotations

import os
import threading


class ForkLock:
    """A re-entrant lock (a plain one deadlocks in a signal handler that enters or ends something) for `with`."""

    def __init__(self) -> None:
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *raised: object) -> None:
        self._lock.release()
