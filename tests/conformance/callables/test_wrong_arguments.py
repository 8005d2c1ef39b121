"""A call whose arguments do not fit raises the TypeError of the bare one, of a generator function at the call too."""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.compare import Decorate, alike


def test_a_call_that_does_not_fit_raises_as_the_bare_one_does(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> tuple[str, ...]:
        @decorate
        def work(number: int) -> int:
            return number

        try:
            work(1, 2)  # type: ignore[call-arg]
        except TypeError as error:
            return error.args
        return ()

    assert "takes 1 positional argument" in alike(scenario, traced)[0]


def test_a_call_that_does_not_fit_raises_at_the_call(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> str:
        @decorate
        def numbers(count: int) -> Iterator[int]:
            yield count

        try:
            numbers()  # type: ignore[call-arg]
        except TypeError:
            return "at the call"
        return "later"

    assert alike(scenario, traced) == "at the call"
