"""Keeps SQLite from writing its WAL back each time that the last process leaves.

A pipeline of short processes is just that: every command is the last to leave. Closing then syncs the WAL, copies it
into the database, syncs that, and the next command syncs the header of a new WAL: 20 to 40 ms a command here, where the
commit itself takes 0.1. The WAL stays instead, and is written back when it has grown to 1000 pages.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import struct
import threading
from contextlib import suppress
from typing import Final

_SHARED_FIRST: Final = 0x40000000 + 2
"""First byte of the range that SQLite locks whole to write the WAL back (os.h)."""
_lock: Final = threading.Lock()
_held: dict[str, tuple[int, int]] = {}  # path: descriptor, connections


def keep(connection: sqlite3.Connection, path: str) -> bool:
    """Let the WAL of the database at `path` stay when `connection` is closed; whether `release` has to be called.

    From Python 3.12 on SQLite has a switch for it. Before, a read lock of an open file description does it: SQLite,
    whose own locks belong to the process, finds the file in use by somebody else and leaves the WAL.
    """
    if hasattr(connection, "setconfig"):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE)  # type: ignore[attr-defined]
        return False
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return False
    with _lock, suppress(OSError):
        descriptor, count = _held.get(path, (-1, 0))
        if not count:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            wanted = struct.pack("@hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, _SHARED_FIRST, 1, 0)
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
        _held[path] = (descriptor, count + 1)
        return True
    return False


def release(path: str) -> None:
    """Give the lock back, after the last connection to `path` in this process is closed.

    Not before: closing any descriptor of a file drops the locks that this process, and so SQLite, has on it.
    """
    with _lock:
        descriptor, count = _held.get(path, (-1, 0))
        if count > 1:
            _held[path] = (descriptor, count - 1)
        elif count:
            del _held[path]
            with suppress(OSError):
                os.close(descriptor)
