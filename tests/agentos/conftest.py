"""Chains that have been run once for all tests that look at them: on stand-ins, and on the real checkouts there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agentos.chain import Chain
from tests.agentos.fake_model import FakeModel
from tests.agentos.hosts import VERSIONS, Host, checkout, stand_in

# One for each form: the first tag, the last with a database in the current folder, and the other package's name.
STAND_INS = ("v0.1.0", "v0.3.1", "HEAD")
REAL = [version for version in VERSIONS if checkout(version) is not None]


@pytest.fixture(scope="session")
def model_url() -> Iterator[str]:
    with FakeModel() as model:
        yield model.url


@pytest.fixture(
    scope="session",
    params=[*(f"stand-in-{version}" for version in STAND_INS), *(f"real-{version}" for version in REAL)],
)
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Host:
    kind, _, version = request.param.rpartition("-")
    real = checkout(version) if kind == "real" else None
    return real or stand_in(version, tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="session")
def bare(host: Host, model_url: str, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The chain without us."""
    chain = Chain(host, tmp_path_factory.mktemp("bare"), model_url)
    for step in chain.steps:
        chain.step(step)
    return chain


@pytest.fixture(scope="session")
def traced(host: Host, model_url: str, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The chain with tracing active in each of its processes."""
    chain = Chain(host, tmp_path_factory.mktemp("traced"), model_url)
    chain.traced(*chain.steps)
    return chain


@pytest.fixture
def stand_in_head(tmp_path: Path) -> Host:
    """A stand-in of this test's own, to be changed."""
    folder = tmp_path / "host"
    folder.mkdir()
    return stand_in("HEAD", folder)
