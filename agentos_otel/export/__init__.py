"""Ways out of the process: the host's own provider."""

from __future__ import annotations
