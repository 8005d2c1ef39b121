"""Ways out of the process: the forwarder from the journals to an OTLP endpoint, and the host's own provider."""

from __future__ import annotations
