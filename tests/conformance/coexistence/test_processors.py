"""The host's own processors (batching, from baggage, reading everything) get each span once, whole and in time."""

from __future__ import annotations

from tests.conformance.coexistence.conftest import Host


def test_them(host: Host) -> None:
    seen = host("before")
    assert seen["batch"] == ["GET", "inner", "outer"]
    assert [line.rpartition(" ")[0] for line in seen["reader"]] == ["GET c-1", "inner c-1", "outer c-1"]
