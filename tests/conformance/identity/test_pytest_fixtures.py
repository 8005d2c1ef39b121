"""A decorated function can be a pytest fixture or a test, its parameters are fixtures, its `yield` tears down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.compare import Decorate, alike


class Plugin:
    """Keeps what the inner run tells."""

    def __init__(self, made: dict[str, Any]) -> None:
        self.lines: list[str] = []
        self.made = made

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.failed:
            self.lines.append(f"{report.when} {report.outcome}")


def test_fixtures_and_tests(traced: Decorate, tmp_path: Path) -> None:
    file = tmp_path / "test_inner.py"
    file.write_text(
        "import pytest\n"
        "def hooks(request):\n"
        "    return [p for p in request.config.pluginmanager.get_plugins() if hasattr(p, 'made')][0]\n"
        "@pytest.fixture\ndef base():\n    return 1\n"
        "@pytest.fixture\ndef torn(request, base):\n    yield from hooks(request).made['numbers'](base)\n"
        "def test_work(request, torn):\n    hooks(request).made['work'](torn)\n"
    )

    def scenario(decorate: Decorate) -> list[Any]:
        torn: list[str] = []

        @decorate
        def numbers(base: int) -> Any:
            yield base + 1
            torn.append("torn down")

        @decorate
        def work(number: int) -> None:
            assert number == 2

        plugin = Plugin({"numbers": numbers, "work": work})
        without = ("cacheprovider", "terminal", "randomly", "timeout")
        options = [f"--rootdir={tmp_path}", "-c", "/dev/null", "--import-mode=importlib"]
        pytest.main([*options, *(f"-pno:{name}" for name in without), str(file)], plugins=[plugin])
        return [*plugin.lines, *torn]

    assert alike(scenario, traced) == ["call passed", "torn down"]


@pytest.fixture
def made_by_the_decorator(traced: Decorate, tmp_path: Path) -> Callable[[], Path]:
    @traced
    def path() -> Path:
        return tmp_path

    return path


def test_a_fixture_may_give_a_decorated_function(made_by_the_decorator: Callable[[], Path], tmp_path: Path) -> None:
    assert made_by_the_decorator() == tmp_path
