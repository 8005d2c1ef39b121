"""The host's sampler decides: no more of its spans go out than without us, and a trace is whole or not there."""

from __future__ import annotations

from tests.conformance.coexistence.conftest import Host


def test_one_percent_of_300(host: Host) -> None:
    seen = host("sampled")
    assert (seen["values"], seen["traces"]) == (300, 3)
    assert seen["spans"] == [["GET", "outer"]] * 3 + [["inner", "GET"]] * 3 + [["outer", ""]] * 3
