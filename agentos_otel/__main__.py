"""`python -m agentos_otel`: the shell."""

from __future__ import annotations

from agentos_otel.cli.main import main

main()
