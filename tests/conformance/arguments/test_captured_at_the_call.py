"""An argument is recorded as it was at the call, and a result that is mutated later as it was returned."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike


def test_mutation(adapter: Adapter, spans: Any) -> None:
    if not adapter.captures:
        pytest.skip("it records no content")

    def scenario(decorate: Decorate) -> list[str]:
        @decorate
        def work(number: list[str]) -> list[str]:
            number.append("added inside")
            return ["returned"]

        result = work(["before"])
        result.append("added after")
        return result

    assert alike(scenario, adapter.capturing) == ["returned", "added after"]
    written = str([dict(span.attributes) for span in spans()])
    assert "before" in written
    assert "returned" in written
    assert "added" not in written
