"""Jaeger and the Collector as real processes, with the files of collector/, each at a loopback address of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "collector"


def binaries() -> Path:
    """Return the folder of the built binaries."""
    done = subprocess.run([CONFIGS / "build.sh", "--where"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("Jaeger and the Collector are not built: `make backends`")
    return Path(done.stdout.strip())


def free_address() -> str:
    """Return a loopback address on which nothing listens: so the files are run as they are, with their own ports."""
    while True:
        address = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}"
        with contextlib.suppress(OSError), socket.create_server((address, 4317)):
            return address


def eventually(check: Callable[[], Any], seconds: float = 30) -> Any:
    """Return the first true value that `check` gives; it is asked until the time is over."""
    until = time.monotonic() + seconds
    while True:
        value = check()
        if value or time.monotonic() > until:
            return value
        time.sleep(0.05)


class Server:
    """One process that is started, killed and started again on the same address and folder."""

    health: int
    patience: float = 60
    """Seconds that it may take to start."""

    def __init__(self, name: str, folder: Path, *overrides: str, config: str) -> None:
        self.binary = binaries() / name
        self.address = free_address()
        self.folder = folder
        self.log = folder / f"{name}.log"
        self.arguments = [f"--config=file:{CONFIGS / config}", *(f"--config=yaml:{text}" for text in overrides)]
        self.environ = {"PATH": os.environ["PATH"], "JAEGER_UI": str(CONFIGS), "OTELCOL_CONFIG": str(CONFIGS)}
        self.process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [self.binary, *self.arguments], env=self.environ, stdout=output, stderr=output, cwd=self.folder
            )
        assert eventually(self.is_healthy, self.patience), self.log.read_text()[-2000:]

    def is_healthy(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail(f"{self.binary.name} ended: {self.log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"http://{self.address}:{self.health}/", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """Kill with -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


class JaegerServer(Server):
    """Jaeger on Badger."""

    health = 13134

    def __init__(self, folder: Path, *overrides: str, config: str = "jaeger.yaml") -> None:
        super().__init__("jaeger", folder, *overrides, config=config)
        self.environ |= {"JAEGER_HOST": self.address, "JAEGER_DATA": str(folder / "spans")}

    @property
    def url(self) -> str:
        return f"http://{self.address}:16686"


class CollectorServer(Server):
    """The Collector, sending to `upstream`."""

    health = 13133

    def __init__(self, folder: Path, upstream: str, *overrides: str, config: str = "gateway.yaml") -> None:
        super().__init__("otelcol", folder, *overrides, config=config)
        self.environ |= {
            "OTELCOL_HOST": self.address,
            "OTELCOL_UPSTREAM": upstream,
            "OTELCOL_DATA": str(folder / "queue"),
            "OTELCOL_KEEP_REST": "100",
        }

    @property
    def endpoint(self) -> str:
        """OTLP over HTTP."""
        return f"http://{self.address}:4318"

    @property
    def grpc(self) -> str:
        return f"{self.address}:4317"


@contextlib.contextmanager
def running(*servers: Server) -> Iterator[None]:
    """Start the servers, and stop them afterwards."""
    try:
        for server in servers:
            server.start()
        yield
    finally:
        for server in reversed(servers):
            server.stop()


def post(endpoint: str, body: bytes) -> int:
    """Send serialised `TracesData` to an OTLP/HTTP endpoint; return the status."""
    request = urllib.request.Request(
        f"{endpoint}/v1/traces", body, {"Content-Type": "application/x-protobuf"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(answer.status)


def send_journals(endpoint: str, state_dir: Path) -> None:
    """Send every journal as it lies: an intact file is valid `TracesData`."""
    for path in (state_dir / "journal").rglob("*.otlp"):
        assert post(endpoint, path.read_bytes()) == 200
