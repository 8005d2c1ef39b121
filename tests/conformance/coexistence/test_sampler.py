"""The host's sampler decides: no more of its spans go out than without us, and a trace is whole or not there."""

from __future__ import annotations

from tests.conformance.coexistence.conftest import Host


def test_every_20th_of_100(host: Host) -> None:
    seen = host("sampled")
    assert (seen["values"], seen["traces"]) == (100, 5)
    assert seen["spans"] == [["GET", "outer"]] * 5 + [["inner", "GET"]] * 5 + [["outer", ""]] * 5
