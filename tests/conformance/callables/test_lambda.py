"""A lambda works."""

from __future__ import annotations

from tests.conformance.compare import Decorate, alike


def test_a_lambda(traced: Decorate, shape: object) -> None:
    assert alike(lambda decorate: decorate(lambda number: number + 1)(2), traced) == 3
