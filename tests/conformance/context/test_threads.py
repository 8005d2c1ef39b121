"""In threads, timers and thread pools a call works; with OpenTelemetry's threading instrumentation it nests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

from tests.conformance.compare import Decorate, alike


@pytest.fixture
def instrumented() -> Iterator[None]:
    ThreadingInstrumentor().instrument()
    yield
    ThreadingInstrumentor().uninstrument()


def _in_threads(decorate: Decorate) -> list[int]:
    @decorate
    def leaf(number: int) -> int:
        return number

    @decorate
    def outer() -> list[int]:
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(leaf(1)))
        timer = threading.Timer(0, lambda: found.append(leaf(2)))
        for each in (thread, timer):
            each.start()
            each.join()
        with ThreadPoolExecutor(2) as pool:
            found += pool.map(leaf, [3, 4])
            found.append(pool.submit(leaf, 5).result())
        return found

    return outer()


def test_values(traced: Decorate, spans: Any) -> None:
    assert alike(_in_threads, traced) == [1, 2, 3, 4, 5]
    assert sorted(span.name for span in spans()) == ["leaf"] * 5 + ["outer"]
    assert all(span.status == "ok" for span in spans())


def test_parents_with_the_instrumentation(traced: Decorate, spans: Any, instrumented: None) -> None:
    assert alike(_in_threads, traced) == [1, 2, 3, 4, 5]
    assert sorted((span.name, span.parent) for span in spans()[1:]) == [("leaf", "outer")] * 5


def test_to_thread_carries_the_context_by_itself(traced: Decorate, spans: Any) -> None:
    async def scenario(decorate: Decorate) -> int:
        @decorate
        def leaf(number: int) -> int:
            return number

        @decorate
        async def outer() -> int:
            return await asyncio.to_thread(leaf, 3)

        return await outer()

    assert alike(scenario, traced) == 3
    assert [(span.name, span.parent) for span in spans()] == [("outer", None), ("leaf", "outer")]


def test_run_in_executor(traced: Decorate, spans: Any, instrumented: None) -> None:
    async def scenario(decorate: Decorate) -> int:
        @decorate
        def leaf(number: int) -> int:
            return number

        @decorate
        async def outer() -> int:
            return await asyncio.get_running_loop().run_in_executor(None, leaf, 3)

        return await outer()

    assert alike(scenario, traced) == 3
    assert [(span.name, span.parent) for span in spans()] == [("outer", None), ("leaf", "outer")]


def test_many_threads_at_once(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> int:
        @decorate
        def leaf(number: int) -> int:
            return number

        @decorate
        def outer(number: int) -> int:
            return sum(leaf(number) for _ in range(20))

        with ThreadPoolExecutor(8) as pool:
            return sum(pool.map(outer, range(40)))

    assert alike(scenario, traced) == 20 * sum(range(40))
    assert len(spans()) == 40 * 21
    assert {(span.name, span.parent) for span in spans()} == {("outer", None), ("leaf", "outer")}
