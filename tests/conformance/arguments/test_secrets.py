"""A secret among arguments or results is replaced before it is written, by its form and by its name."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike

KEY = "sk-ant-api03-" + "Zz9" * 12
PLAIN = "correct-horse-battery"


@dataclasses.dataclass
class Login:
    user: str
    password: str


@pytest.mark.parametrize(
    "given",
    [
        f"the key is {KEY}.", [KEY], {"nested": {"header": f"Bearer {KEY}"}}, {"api_key": PLAIN},
        {"headers": {"Authorization": PLAIN}}, Login("ann", PLAIN), f"postgresql://ann:{PLAIN}@db/tasks",
        "x" * 4080 + KEY, {"client_secret": PLAIN},
    ],
)  # fmt: skip
def test_by_form_and_by_name(adapter: Adapter, spans: Any, given: Any) -> None:
    def scenario(decorate: Decorate) -> Any:
        @decorate
        def work(number: Any) -> Any:
            return number

        return work(given) is given

    assert alike(scenario, adapter.capturing) is True
    written = str([dict(span.attributes) for span in spans()])
    assert not any(secret in written for secret in (KEY, KEY[:16], PLAIN))


def test_a_parameter_that_is_named_as_one(adapter: Adapter, spans: Any) -> None:
    def scenario(decorate: Decorate) -> int:
        @decorate
        def work(user: str, password: str, apiKey: str) -> int:  # noqa: N803 - a name that hosts have
            return len(user)

        return work("ann", PLAIN, apiKey=PLAIN)

    assert alike(scenario, adapter.capturing) == 3
    assert PLAIN not in str([dict(span.attributes) for span in spans()])


def test_in_an_exception(adapter: Adapter, traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> None:
        @decorate
        def work() -> None:
            raise ValueError(f"refused: {KEY}")

        work()

    assert isinstance(alike(scenario, traced), ValueError)
    assert KEY not in str([dict(span.attributes) for span in spans()])
