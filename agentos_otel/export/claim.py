"""The sign that journals of a state directory are for sending: the file of the positions is there, be it empty."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

FILE: Final = "forward.db"


def claim(state_dir: Path) -> None:
    """Say that what is journaled here is for sending: from now on files are merged or pruned only once they are sent.

    An empty file is an empty database; it costs a process that lives for milliseconds one system call, not a schema.

    Raises:
        OSError: The state directory cannot be written.
    """
    os.close(os.open(state_dir / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
