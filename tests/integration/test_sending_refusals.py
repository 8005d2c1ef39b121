"""An endpoint that takes no spans: doctor names the cause in one line, nothing is lost, and what lies here is shown."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import grpc
import pytest
import trustme

from agentos_otel import forwarding, settings
from agentos_otel.export.forwarder import Forwarder
from tests.integration.answering import greeting
from tests.integration.backends import CollectorServer, JaegerServer, free_address, running
from tests.integration.otlp_servers import Answer, GrpcSink, HttpSink

PROGRAM = "from agentos_otel import current_task, task\nwith task('rename'): print(current_task().task_id)"


def shell(state_dir: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    full = {**os.environ, "AGENTOS_OTEL_STATE_DIR": str(state_dir), **environ}
    return subprocess.run(command, env=full, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A state directory with one task that is not sent yet, and the task's id."""
    state_dir = tmp_path_factory.mktemp("traced") / "state"
    return state_dir, shell(state_dir, "-c", PROGRAM).stdout.strip()


Said = Callable[..., str]


@pytest.fixture
def said(tmp_path: Path, traced: tuple[Path, str]) -> Iterator[Said]:
    """Send to an endpoint, and return what doctor says of it; afterwards all is sent to one that takes it."""
    asked: list[Path] = []

    def ask(endpoint: str, protocol: str = "http/protobuf") -> str:
        state_dir = tmp_path / f"state{len(asked)}"
        shutil.copytree(traced[0], state_dir)
        asked.append(state_dir)
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        environ |= {"OTEL_EXPORTER_OTLP_TIMEOUT": "2"}
        with closing(forwarder(state_dir, environ)) as made:
            made.pump()
        shown = shell(state_dir, "-m", "agentos_otel", "task", "show", traced[1], **environ)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert "task rename" in shown.stdout
        done = shell(state_dir, "-m", "agentos_otel", "doctor", **environ)
        assert done.returncode == 1
        (line,) = (line for line in done.stdout.splitlines() if line.startswith("BAD"))
        assert line.startswith("BAD  forwarding: ")
        return line

    yield ask
    for state_dir in asked:
        with closing(HttpSink()) as sink:
            with closing(forwarder(state_dir, {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url})) as repaired:
                repaired.retry_refused()
                repaired.pump(patient=False)
            assert [span.name for span in sink.spans if span.name != "task started"] == ["task rename"]


def forwarder(state_dir: Path, environ: dict[str, str]) -> Forwarder:
    destination = settings.read({"AGENTOS_OTEL_STATE_DIR": str(state_dir), **environ}).destination()
    assert destination
    return Forwarder(state_dir, forwarding.open_sender(destination))


@pytest.fixture(scope="module")
def certificate() -> trustme.LeafCert:
    """One that no authority here has signed."""
    return trustme.CA().issue_cert("localhost", "127.0.0.1")


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def answering(servers: ExitStack, answer: Answer) -> str:
    sink = servers.enter_context(closing(HttpSink()))
    sink.answer = lambda body: answer
    return sink.url


def test_nothing_listens(said: Said) -> None:
    assert "nothing listens there: start it, or correct" in said(f"http://{free_address()}:4318")


def test_nothing_listens_to_grpc(said: Said) -> None:
    assert "nothing listens there: start it, or correct" in said(f"http://{free_address()}:4317", "grpc")


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_host_has_no_address(said: Said, protocol: str) -> None:
    assert "no host has that name" in said("http://collector.invalid:4318", protocol)


def test_it_does_not_answer(said: Said) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "it does not answer in time" in said(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_its_certificate_is_not_trusted(said: Said, servers: ExitStack, certificate: trustme.LeafCert) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    sink = servers.enter_context(closing(HttpSink(context)))
    assert "its certificate is not trusted: set OTEL_EXPORTER_OTLP_CERTIFICATE" in said(sink.url)
    assert "with TLS write https://" in said(sink.url.replace("https:", "http:"))


def test_its_certificate_is_not_trusted_by_grpc(said: Said, servers: ExitStack, certificate: trustme.LeafCert) -> None:
    pair = ((certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes()),)
    sink = servers.enter_context(closing(GrpcSink(grpc.ssl_server_credentials(pair))))
    assert "its certificate is not trusted: set OTEL_EXPORTER_OTLP_CERTIFICATE" in said(sink.url, "grpc")
    assert "with TLS write https://" in said(sink.url.replace("https:", "http:"), "grpc")


def test_tls_is_asked_of_a_server_without(said: Said, servers: ExitStack) -> None:
    sink = servers.enter_context(closing(HttpSink()))
    assert "no TLS is spoken there: write http://" in said(sink.url.replace("http:", "https:"))


def test_tls_is_asked_of_a_grpc_server_without(said: Said, servers: ExitStack) -> None:
    sink = servers.enter_context(closing(GrpcSink()))
    assert "no TLS is spoken there: write http://" in said(sink.url.replace("http:", "https:"), "grpc")


@pytest.mark.parametrize("status", [401, 403])
def test_access_is_refused(said: Said, servers: ExitStack, status: int) -> None:
    assert "access is refused: set OTEL_EXPORTER_OTLP_HEADERS" in said(answering(servers, Answer(status)))


def test_access_is_refused_by_grpc(said: Said, servers: ExitStack) -> None:
    sink = servers.enter_context(closing(GrpcSink()))
    sink.answer = lambda body: Answer("UNAUTHENTICATED")
    assert "access is refused: set OTEL_EXPORTER_OTLP_HEADERS" in said(sink.url, "grpc")


def test_a_login_is_in_between(said: Said, servers: ExitStack) -> None:
    elsewhere = Answer(302, {"location": "https://login.example.org/"})
    assert "it leads elsewhere, such as to a login" in said(answering(servers, elsewhere))


@pytest.mark.parametrize("answer", [Answer(404), Answer(405), Answer(200, body=b"\n<!doctype html><title>Hi</title>")])
def test_it_is_another_server(said: Said, servers: ExitStack, answer: Answer) -> None:
    """One that answers 200 with a page has taken nothing."""
    assert "no OTLP is taken at that address" in said(answering(servers, answer))


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_another_protocol_is_spoken(said: Said, protocol: str) -> None:
    with greeting() as url:
        line = said(url, protocol)
    assert "no gRPC is spoken there" in line if protocol == "grpc" else "another protocol is spoken there" in line


@pytest.mark.jaeger
def test_the_ports_of_a_real_collector_and_of_jaeger_are_mixed_up(
    said: Said, collector: CollectorServer, jaeger: JaegerServer
) -> None:
    assert "4317 for OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in said(f"http://{collector.grpc}")
    assert "for 4318 set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in said(collector.endpoint, "grpc")
    assert "no TLS is spoken there" in said(collector.endpoint.replace("http:", "https:"))
    assert "no OTLP is taken at that address" in said(jaeger.url)


@pytest.mark.jaeger
def test_a_real_collector_speaks_tls(said: Said, tmp_path: Path, certificate: trustme.LeafCert) -> None:
    pair = tmp_path / "pair.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(pair))
    tls = f"tls: {{cert_file: {pair}, key_file: {pair}}}"
    protocols = [f"receivers::otlp::protocols::{name}::{tls}" for name in ("http", "grpc")]
    collector = CollectorServer(tmp_path / "collector", "127.0.0.1:9", *protocols)
    with running(collector):
        # Go answers 400 and closes; with a request still unread the kernel resets the connection, at times before that.
        assert "write https://" in said(collector.endpoint)
        assert "with TLS write https://" in said(f"http://{collector.grpc}", "grpc")
        assert "its certificate is not trusted" in said(collector.endpoint.replace("http:", "https:"))
        assert "its certificate is not trusted" in said(f"https://{collector.grpc}", "grpc")
