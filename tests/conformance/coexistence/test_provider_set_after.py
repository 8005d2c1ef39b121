"""A provider that the host sets after the first call is the host's, and has the spans from then on, in one trace."""

from __future__ import annotations

from tests.conformance.coexistence.conftest import Host
from tests.conformance.coexistence.test_provider_set_before import ONE_TRACE


def test_it(host: Host) -> None:
    seen = host("after")
    assert (seen["kept"], seen["traces"], seen["spans"]) == (True, 1, ONE_TRACE)
