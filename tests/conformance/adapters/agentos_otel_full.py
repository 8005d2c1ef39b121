"""This library with all that a point can ask for: `@stage` that captures, reads ids and artifacts, judges results."""

from __future__ import annotations

from typing import Any, Final

import agentos_otel
from tests.conformance.adapters import F
from tests.conformance.adapters import agentos_otel as plain

ASKED: Final[dict[str, Any]] = {
    "capture": True,
    "produces": {"intent_id": "result.intent_id"},
    "consumes": {"request_id": "number.id"},
    "failed": {"result.status": ["failed"], "result": ["failed"]},
    "artifacts": ["result.file"],
    "control_flow": ["tests.conformance.nowhere:Never"],
}


class Product(plain.Product):
    def traced(self, fn: F, /) -> F:
        return agentos_otel.stage(**ASKED)(fn)

    def plain(self, fn: F, /) -> F:
        return agentos_otel.stage(fn)

    capturing = traced
