"""A string of 20 MB, alone or inside a structure, is cut before it is serialised; what is kept is small."""

from __future__ import annotations

import dataclasses
import tracemalloc
from typing import Any

import pydantic

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike

SIZE = 20_000_000
ROOM = 2_000_000


@dataclasses.dataclass
class Document:
    text: str


class Model(pydantic.BaseModel):
    text: str


def test_nothing_large_is_made(adapter: Adapter, spans: Any) -> None:
    text = "x" * SIZE
    values: list[Any] = [
        text, [text], {"text": text}, (text,), {text}, Document(text), Model(text=text), b"x" * SIZE, ValueError(text),
        list(range(1_000_000)), dict.fromkeys(range(300_000)), 1 << SIZE,
    ]  # fmt: skip

    def scenario(decorate: Decorate) -> list[bool]:
        @decorate
        def work(number: Any) -> Any:
            return number

        work(1)
        tracemalloc.start()
        try:
            kept = []
            for given in values:
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                work(given)
                kept.append(tracemalloc.get_traced_memory()[1] - before < ROOM)
            return kept
        finally:
            tracemalloc.stop()

    assert alike(scenario, adapter.capturing) == [True] * len(values)
    longest = max((len(str(value)) for span in spans() for value in span.attributes.values()), default=0)
    assert longest <= 100_000
