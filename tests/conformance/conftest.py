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
_outcomes: dict[str, list[str]] = {}


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


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note why a test failed, by fact."""
    fact = Path(report.nodeid.partition("::")[0]).relative_to(HERE.relative_to(Path.cwd())).as_posix()
    reasons = _outcomes.setdefault(fact, [])
    if report.skipped:
        reasons.append("-")  # the product has no such thing
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        message = (crash.message if crash else str(report.longrepr)).splitlines()
        test = report.nodeid.rpartition("::")[2].partition("[")[0]
        reasons.append(f"{test}: {message[0][:200] if message else report.when}")


def pytest_sessionfinish() -> None:
    """Write what `table.py` puts together, where it was asked for."""
    wanted = os.environ.get("CONFORMANCE_OUTCOMES")
    if wanted:
        product = importlib.import_module(f"{adapters.__name__}.{CHOSEN[0]}").Product
        found = {
            "title": product.title,
            "version": metadata.version(product.distribution),
            "python": ".".join(map(str, sys.version_info[:3])),
            "facts": dict(sorted(_outcomes.items())),
        }
        Path(wanted).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
