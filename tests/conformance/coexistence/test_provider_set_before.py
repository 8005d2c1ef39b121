"""A provider that the host set before stays the host's; our spans and its own are one trace in its processors."""

from __future__ import annotations

from tests.conformance.coexistence.conftest import Host

ONE_TRACE = [["GET", "outer"], ["inner", "GET"], ["outer", ""]]


def test_it(host: Host) -> None:
    seen = host("before")
    assert (seen["kept"], seen["traces"], seen["spans"]) == (True, 1, ONE_TRACE)
