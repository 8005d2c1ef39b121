"""With `OTEL_SDK_DISABLED` calls work and nothing goes out."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.coexistence.conftest import Host


def test_it(host: Host, tmp_path: Path) -> None:
    seen = host("before", OTEL_SDK_DISABLED="true")
    assert (seen["values"], seen["spans"], seen["batch"]) == (1, [], [])
    assert not (tmp_path / "state").exists()
