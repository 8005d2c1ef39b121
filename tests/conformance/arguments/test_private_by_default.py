"""Arguments and results are not recorded unless that was switched on."""

from __future__ import annotations

from typing import Any

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike


def test_the_plain_decorator_keeps_no_content(adapter: Adapter, spans: Any) -> None:
    def scenario(decorate: Decorate) -> str:
        @decorate
        def work(number: str) -> str:
            return number + ", returned"

        return work("a tulip")

    assert alike(scenario, adapter.plain) == "a tulip, returned"
    assert "tulip" not in str([dict(span.attributes) for span in spans()])
