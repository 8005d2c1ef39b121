"""Where the host has no provider, none is set, and nothing is printed."""

from __future__ import annotations

from tests.conformance.coexistence.conftest import Host


def test_it(host: Host) -> None:
    seen = host("none")
    assert (seen["set"], seen["values"], seen["printed"], seen["stderr"]) == (False, 1, 0, "")
