"""In process pools and `multiprocessing`, forked and spawned, a call works and the parent's spans are written once."""

from __future__ import annotations

import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from tests.conformance import samples
from tests.conformance.compare import Decorate, alike


def _run(decorate: Decorate, method: str) -> list[Any]:
    samples.decorate_all(decorate)
    context = multiprocessing.get_context(method)

    @decorate
    def outer() -> list[Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads, which the test runner has
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                return [*pool.map(samples.double, [1, 2]), pool.submit(samples.Host(1).add, 2).result()]

    return outer()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool(traced: Decorate, spans: Any, method: str) -> None:
    assert alike(lambda decorate: _run(decorate, method), traced) == [2, 4, 3]
    assert [span.name for span in spans() if span.name == "outer"] == ["outer"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(traced: Decorate, spans: Any, method: str) -> None:
    def scenario(decorate: Decorate) -> list[int]:
        samples.decorate_all(decorate)

        @decorate
        def outer() -> list[int]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                with multiprocessing.get_context(method).Pool(1) as pool:
                    found = pool.map(samples.double, [1, 2])
                    pool.close()
                    pool.join()
            return found

        return outer()

    assert alike(scenario, traced) == [2, 4]
    assert [span.name for span in spans() if span.name == "outer"] == ["outer"]


def test_a_forked_child_that_leaves_inside_a_call(traced: Decorate, spans: Any) -> None:
    import os

    def scenario(decorate: Decorate) -> int:
        @decorate
        def inner() -> int:
            return 3

        @decorate
        def outer() -> int:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                code = 1
                try:
                    code = inner()
                finally:
                    os._exit(code)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        return outer()

    assert alike(scenario, traced) == 3
    assert [(span.name, span.status) for span in spans() if span.name == "outer"] == [("outer", "ok")]
