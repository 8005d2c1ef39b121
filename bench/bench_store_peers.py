"""Puts the same spans into our index, into Phoenix and into MLflow: how fast they are taken, how fast a task is read.

    python bench/bench_store_peers.py [SPANS]

The peers are servers with SQLite, each in a venv of its own, kept in the user's cache folder; they get the spans as
OTLP/HTTP, 500 in a request, one request after the other. We read them from the journal, as we always do: designs are
compared, not parsers. A task is asked for by its id, the attribute `task_id` of its spans; no peer has a column for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench_store import fill_tasks, open_workspace
from journals import SPANS, write_runs

from agentos_otel.export import fold
from agentos_otel.journal import reader
from agentos_otel.journal.record import ENDED_SPAN
from agentos_otel.query.document import document

PINNED = {"phoenix": "arize-phoenix==20.26.1", "mlflow": "mlflow==3.17.0"}
AT_ONCE = 500
PATIENCE = 180


def installed(peer: str) -> Path:
    """Return the folder of a peer's programs, installed the first time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "agentos-otel-bench"
    venv = cache / f"store-{PINNED[peer].split('=', 1)[0]}"
    if not (venv / "ready").exists():
        print(f"installing {PINNED[peer]} …", flush=True)
        # Not by pip: it looks at Phoenix's dependencies for longer than ten minutes.
        subprocess.run(["uv", "venv", "-q", "--clear", "-p", sys.executable, str(venv)], check=True)
        subprocess.run(["uv", "pip", "install", "-q", "-p", str(venv), PINNED[peer]], check=True)
        (venv / "ready").touch()
    return venv / "bin"


def ask(url: str, body: bytes | None = None, **headers: str) -> bytes:
    """Return what a server on this machine answers."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    with urllib.request.urlopen(urllib.request.Request(url, body, named), timeout=60) as answer:  # noqa: S310
        return bytes(answer.read())


@contextlib.contextmanager
def served(command: list[str], port: int, folder: Path, **environ: str) -> Iterator[str]:
    """Run a server for a block; gives its address once it answers."""
    address = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log:
        full = {**os.environ, "DO_NOT_TRACK": "true", "NO_PROXY": "127.0.0.1", **environ}
        process = subprocess.Popen(command, env=full, stdout=log, stderr=log, cwd=folder)
        try:
            wait_until(lambda: bool(ask(address)), f"{command[0]} does not answer: see {log.name}")
            yield address
        finally:
            process.terminate()
            process.wait(30)


def wait_until(holds: Callable[[], bool], complaint: str) -> None:
    """Wait until something holds that cannot be asked for at first."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, sqlite3.Error):
            if holds():
                return
        time.sleep(0.05)
    raise SystemExit(complaint)


def free_port() -> int:
    """Return a port of the loopback that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def show(who: str, spans: int, seconds: float, read: Callable[[int], int], tasks: int) -> None:
    """Print how fast spans were taken, and the median time of reading one of some tasks."""
    took = []
    for number in range(0, tasks, max(1, tasks // 20)):
        began = time.perf_counter()
        found = read(number)
        took.append(time.perf_counter() - began)
        assert found == SPANS, f"{who} has {found} spans of task {number}"  # noqa: S101 - a figure for nothing
    print(
        f"  {who:<24} {spans / seconds:>10,.0f} spans/s   one task {statistics.median(took) * 1e3:>8.2f} ms", flush=True
    )


def task_id(number: int) -> str:
    """Return the key of a task of the journals."""
    return f"{number:020x}"


def ours(folder: Path, spans: int) -> list[bytes]:
    """Measure our index; returns the same spans as requests for the others."""
    space = open_workspace(folder)
    live = space.journal_dir / "live/h"
    fill_tasks(folder / "tasks.db", write_runs(live, spans, seed=1, told=space.store.identity()))
    began = time.perf_counter()
    space.index.catch_up()
    seconds = time.perf_counter() - began
    show("agentos-otel", spans, seconds, lambda n: len(document(space, task_id(n))["spans"]), spans // SPANS)
    space.close()
    records = [record for path in live.iterdir() for record in reader.read_file(path).records]
    pieces = [piece for record in records if record.field == ENDED_SPAN for piece in fold.pieces(record.body)]
    return [fold.request(pieces[start : start + AT_ONCE]) for start in range(0, len(pieces), AT_ONCE)]


def send(url: str, requests: list[bytes], count: Callable[[], int], spans: int, **headers: str) -> float:
    """Send requests; returns the seconds until the server's database has all spans."""
    began = time.perf_counter()
    for body in requests:
        ask(url, body, Content_Type="application/x-protobuf", **headers)
    wait_until(lambda: count() >= spans, "not all spans have arrived")
    return time.perf_counter() - began


def rows(database: Path, table: str) -> int:
    """Return how many rows a server's table has."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def phoenix(folder: Path, requests: list[bytes], spans: int) -> None:
    """Measure Phoenix: its REST API finds spans by an attribute."""
    port, grpc = free_port(), free_port()
    environ = {"PHOENIX_WORKING_DIR": str(folder), "PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": str(port),
               "PHOENIX_GRPC_PORT": str(grpc), "PHOENIX_TELEMETRY_ENABLED": "false",
               "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false"}  # fmt: skip
    with served([str(installed("phoenix") / "phoenix"), "serve"], port, folder, **environ) as address:

        def read(number: int) -> int:
            query = urllib.parse.urlencode({"limit": 100, "attribute": f"task_id:{task_id(number)}"})
            return len(json.loads(ask(f"{address}/v1/projects/default/spans?{query}"))["data"])

        seconds = send(f"{address}/v1/traces", requests, lambda: rows(folder / "phoenix.db", "spans"), spans)
        show(PINNED["phoenix"], spans, seconds, read, spans // SPANS)


def mlflow(folder: Path, requests: list[bytes], spans: int) -> None:
    """Measure MLflow: its REST API finds traces by an attribute of a span, and gives their spans by the trace's id."""
    port, database = free_port(), folder / "mlflow.db"
    command = [str(installed("mlflow") / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers",
               "1", "--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(folder)]  # fmt: skip
    with served(command, port, folder, MLFLOW_DISABLE_TELEMETRY="true") as address:
        api = f"{address}/api/3.0/mlflow/traces"

        def read(number: int) -> int:
            where: dict[str, Any] = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
            query = {"locations": [where], "filter": f"span.attributes.task_id LIKE '%{task_id(number)}%'"}
            (found,) = json.loads(ask(f"{api}/search", json.dumps(query).encode(), Content_Type="application/json"))[
                "traces"
            ]
            trace = json.loads(ask(f"{api}/get?trace_id={found['trace_id']}"))["trace"]
            return len(trace["spans"])

        url, experiment = f"{address}/v1/traces", {"x_mlflow_experiment_id": "0"}
        seconds = send(url, requests, lambda: rows(database, "spans"), spans, **experiment)
        show(PINNED["mlflow"], spans, seconds, read, spans // SPANS)


def main() -> None:
    """Measure all three, one after the other."""
    spans = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{spans:,} spans of {spans // SPANS:,} tasks")
    with tempfile.TemporaryDirectory(prefix="bench-store-") as name:
        folders = {who: Path(name) / who for who in ("ours", *PINNED)}
        for folder in folders.values():
            folder.mkdir()
        requests = ours(folders["ours"], spans)
        for peer in (phoenix, mlflow):
            peer(folders[peer.__name__], requests, spans)


if __name__ == "__main__":
    main()
