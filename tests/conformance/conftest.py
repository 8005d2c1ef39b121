"""The product under test, a context of its own for each test, and the outcomes for the table."""

from __future__ import annotations

import contextvars
import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.conformance.compare")  # before it is imported

from tests.conformance import adapters  # noqa: E402
from tests.conformance.adapters import Adapter, Seen  # noqa: E402
from tests.conformance.compare import Decorate  # noqa: E402

HERE = Path(__file__).parent
OURS = ("agentos_otel", "agentos_otel_full")
CHOSEN = (os.environ["ADAPTER"],) if os.environ.get("ADAPTER") else OURS


@pytest.fixture(scope="session", params=CHOSEN)
def product(request: pytest.FixtureRequest) -> Adapter:
    return adapters.load(request.param)


@pytest.fixture
def adapter(product: Adapter, tmp_path: Path) -> Iterator[Adapter]:
    with product.recording(tmp_path):
        yield product


@pytest.fixture
def traced(adapter: Adapter) -> Decorate:
    """The product's decorator."""
    return adapter.traced


@pytest.fixture
def spans(adapter: Adapter) -> Callable[[], list[Seen]]:
    """What has ended."""
    return adapter.spans


@pytest.fixture
def shape(adapter: Adapter) -> Callable[[], list[tuple[str, str | None, str]]]:
    """What has ended, as name, parent's name and status."""
    return lambda: [(span.name, span.parent, span.status) for span in adapter.spans()]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Run each test in an empty context: what one test's product leaves attached would spoil the next."""
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    contextvars.Context().run(pyfuncitem.obj, **arguments)
    return True


def pytest_sessionstart() -> None:
    """Say which product this is."""
    product = importlib.import_module(f"{adapters.__name__}.{CHOSEN[0]}").Product
    version = metadata.version(product.distribution)
    python = ".".join(map(str, sys.version_info[:3]))
    _note({"product": {"title": product.title, "version": version, "python": python}})


def pytest_runtest_logstart(nodeid: str) -> None:
    """Note which fact begins."""
    _note({"started": _fact(nodeid)})


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note why a test failed."""
    if report.skipped:
        _note({"failed": ["-"]})  # the product has no such thing
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        message = (crash.message if crash else str(report.longrepr)).splitlines()
        test = report.nodeid.rpartition("::")[2].partition("[")[0]
        _note({"failed": [f"{test}: {message[0][:200] if message else report.when}"]})


def _fact(nodeid: str) -> str:
    return Path(nodeid.partition("::")[0]).relative_to(HERE.relative_to(Path.cwd())).as_posix()


def _note(event: dict[str, object]) -> None:
    """Write a line for `run_peer.py`, at once: what comes next may take the interpreter down."""
    if path := os.environ.get("CONFORMANCE_OUTCOMES"):
        with Path(path).open("a") as file:
            file.write(json.dumps(event) + "\n")
