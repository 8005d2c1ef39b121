"""The official OTLP exporters and the forwarder get the same environment; what a server sees of both is compared."""

from __future__ import annotations

import logging
import os
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
import trustme
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, Status, StatusCode

from agentos_otel import forwarding, settings
from agentos_otel.export.forwarder import Forwarder, Progress
from agentos_otel.journal.record import ENDED_SPAN
from tests.integration.journals import Run
from tests.integration.otlp_servers import Answer, Arrived, GrpcSink, HttpSink, Sink

PREFIX = "OTEL_EXPORTER_OTLP_"
# What names the client's library, or says what answers it takes.
OF_THE_CLIENT = {"user-agent", "accept", "accept-encoding", "connection", "content-length"}


class Authority(NamedTuple):
    """Certificates of one test session, as files."""

    ca: str
    client_certificate: str
    client_key: str
    both: str
    server: ssl.SSLContext
    strict_server: ssl.SSLContext
    server_credentials: Any
    strict_server_credentials: Any


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("certificates")
    ca = trustme.CA()
    client = ca.issue_cert("client.test", common_name="the-client")
    server = ca.issue_cert("localhost", "127.0.0.1")
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    client.cert_chain_pems[0].write_to_path(str(folder / "client.pem"))
    client.private_key_pem.write_to_path(str(folder / "client.key"))
    client.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    contexts = []
    for strict in (False, True):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.configure_cert(context)
        if strict:
            ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        contexts.append(context)
    pair = [(server.private_key_pem.bytes(), server.cert_chain_pems[0].bytes())]
    return Authority(
        ca=str(folder / "ca.pem"),
        client_certificate=str(folder / "client.pem"),
        client_key=str(folder / "client.key"),
        both=str(folder / "both.pem"),
        server=contexts[0],
        strict_server=contexts[1],
        server_credentials=grpc.ssl_server_credentials(pair),
        strict_server_credentials=grpc.ssl_server_credentials(pair, ca.cert_pem.bytes(), require_client_auth=True),
    )


def some_spans(count: int = 20) -> list[ReadableSpan]:
    """Spans with everything that a span can have, of two scopes."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "host", "number": 7}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for number in range(count):
        tracer = provider.get_tracer(f"scope {number % 2}", "1.0", schema_url="https://example.com/schema")
        with tracer.start_as_current_span(
            "parent", attributes={"text": "ä" * 50, "list": [1, 2], "yes": True}
        ) as parent:
            parent.add_event("event", {"key": 1.5})
            with tracer.start_as_current_span("child", links=[Link(parent.get_span_context(), {"a": "b"})]) as child:
                child.set_status(Status(StatusCode.ERROR, "it failed"))
    return list(exporter.get_finished_spans())


def set_only(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    """Set these variables of the exporters and no others."""
    for name in list(os.environ):
        # `requests` prefers a bundle of the environment to the certificate that it was given.
        if name.startswith("OTEL_") or name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(PREFIX + name, value)


def journaled(state_dir: Path, spans: list[ReadableSpan]) -> None:
    run = Run(state_dir)
    for span in spans:
        (message,) = encode_spans([span]).resource_spans
        run.journal.write(ENDED_SPAN, message.SerializeToString())


def ours(state_dir: Path, **options: Any) -> Forwarder:
    destination = settings.read().destination()
    assert destination is not None
    return Forwarder(state_dir, forwarding.open_sender(destination), **options)


def sent_by_us(state_dir: Path, spans: list[ReadableSpan]) -> Progress:
    journaled(state_dir, spans)
    forwarder = ours(state_dir)
    try:
        return forwarder.pump()
    finally:
        forwarder.close()


def theirs(protocol: str) -> Any:
    return GrpcExporter() if protocol == "grpc" else HttpExporter()


def sent_by_them(protocol: str, spans: list[ReadableSpan]) -> bool:
    exporter = theirs(protocol)
    try:
        return bool(exporter.export(spans) is SpanExportResult.SUCCESS)
    finally:
        exporter.shutdown()


def seen(arrived: list[Arrived]) -> list[Any]:
    """Return what a server saw, without what is the client's own."""
    (request,) = arrived
    headers = {name: value for name, value in request.headers.items() if name not in OF_THE_CLIENT}
    spans = sorted(
        (
            message.resource.SerializeToString(deterministic=True),
            scope.scope.SerializeToString(deterministic=True),
            scope.schema_url,
            span.SerializeToString(deterministic=True),
        )
        for message in request.resource_spans
        for scope in message.scope_spans
        for span in scope.spans
    )
    peer = request.peer.get("subject") if isinstance(request.peer, dict) else request.peer
    return [request.method, request.path, headers, peer, spans]


def compare(protocol: str, state_dir: Path, sink: Sink) -> list[Any]:
    """Send the same spans both ways and return what the server saw of ours, which is what it saw of theirs."""
    spans = some_spans()
    assert sent_by_them(protocol, spans)
    expected = seen(sink.arrived)
    sink.arrived.clear()
    assert sent_by_us(state_dir, spans).sent == len(spans)
    found = seen(sink.arrived)
    assert found == expected
    return found


HTTP_ENVIRONMENTS: dict[str, dict[str, str]] = {
    "base": {"ENDPOINT": "{url}"},
    "base with a slash": {"ENDPOINT": "{url}/"},
    "base with a path": {"ENDPOINT": "{url}/otlp/here/"},
    "signal": {"TRACES_ENDPOINT": "{url}/custom?tenant=a%20b"},
    "signal without a path": {"TRACES_ENDPOINT": "{url}"},
    "signal wins": {"ENDPOINT": "http://nowhere.invalid", "TRACES_ENDPOINT": "{url}/v1/traces"},
    "empty is not set": {"ENDPOINT": "{url}", "TRACES_ENDPOINT": "", "HEADERS": "", "COMPRESSION": "", "TIMEOUT": ""},
    "credentials in the URL": {"ENDPOINT": "{login}"},
    "headers": {"ENDPOINT": "{url}", "HEADERS": "Authorization=Basic%20abc%3D, X-Tenant = a=b ,empty="},
    "headers that are not encoded": {"ENDPOINT": "{url}", "HEADERS": "authorization=Bearer a%20b c,x=y"},
    "headers of the signal win": {"ENDPOINT": "{url}", "HEADERS": "a=1,b=2", "TRACES_HEADERS": "c=3"},
    "content type of the user's": {"ENDPOINT": "{url}", "HEADERS": "content-type=application/x-mine"},
    "gzip": {"ENDPOINT": "{url}", "COMPRESSION": "gzip"},
    "deflate": {"ENDPOINT": "{url}", "COMPRESSION": "Deflate"},
    "none": {"ENDPOINT": "{url}", "COMPRESSION": "none"},
    "compression of the signal wins": {"ENDPOINT": "{url}", "COMPRESSION": "gzip", "TRACES_COMPRESSION": "none"},
    "timeout": {"ENDPOINT": "{url}", "TIMEOUT": "0.001", "TRACES_TIMEOUT": "7.5"},
    "protocol": {"ENDPOINT": "{url}", "PROTOCOL": "http/protobuf"},
    "protocol of the signal wins": {"ENDPOINT": "{url}", "PROTOCOL": "grpc", "TRACES_PROTOCOL": "http/protobuf"},
}


def filled(variables: Mapping[str, str], url: str, authority: Authority | None = None) -> dict[str, str]:
    files = authority._asdict() if authority else {}
    login, address = url.replace("://", "://me%40here:s%3Acret@"), url.partition("://")[2]
    return {name: value.format(url=url, login=login, address=address, **files) for name, value in variables.items()}


@pytest.mark.parametrize("name", HTTP_ENVIRONMENTS)
def test_an_http_server_sees_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    sink = HttpSink()
    try:
        set_only(monkeypatch, filled(HTTP_ENVIRONMENTS[name], sink.url))
        compare("http/protobuf", tmp_path, sink)
    finally:
        sink.close()


TLS_ENVIRONMENTS: dict[str, dict[str, str]] = {
    "authority": {"ENDPOINT": "{url}", "CERTIFICATE": "{ca}"},
    "authority of the signal": {"ENDPOINT": "{url}", "TRACES_CERTIFICATE": "{ca}"},
    "client": {
        "ENDPOINT": "{url}",
        "CERTIFICATE": "{ca}",
        "CLIENT_CERTIFICATE": "{client_certificate}",
        "CLIENT_KEY": "{client_key}",
    },
    "client of the signal": {
        "ENDPOINT": "{url}",
        "TRACES_CERTIFICATE": "{ca}",
        "TRACES_CLIENT_CERTIFICATE": "{client_certificate}",
        "TRACES_CLIENT_KEY": "{client_key}",
    },
}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("name", TLS_ENVIRONMENTS)
def test_a_server_behind_tls_sees_the_same_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority, protocol: str, name: str
) -> None:
    strict = name.startswith("client")
    sink: HttpSink | GrpcSink
    if protocol == "grpc":
        sink = GrpcSink(authority.strict_server_credentials if strict else authority.server_credentials)
    else:
        sink = HttpSink(authority.strict_server if strict else authority.server)
    try:
        set_only(monkeypatch, {**filled(TLS_ENVIRONMENTS[name], sink.url, authority), "PROTOCOL": protocol})
        peer = compare(protocol, tmp_path, sink)[3]
        assert bool(peer) is strict
    finally:
        sink.close()


def test_a_client_certificate_and_its_key_may_be_in_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    sink = HttpSink(authority.strict_server)
    try:
        variables = {"ENDPOINT": "{url}", "CERTIFICATE": "{ca}", "CLIENT_CERTIFICATE": "{both}"}
        set_only(monkeypatch, filled(variables, sink.url, authority))
        assert compare("http/protobuf", tmp_path, sink)[3]
    finally:
        sink.close()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_server_that_cannot_be_trusted_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority, protocol: str
) -> None:
    sink = GrpcSink(authority.server_credentials) if protocol == "grpc" else HttpSink(authority.server)
    try:
        set_only(monkeypatch, {"ENDPOINT": sink.url, "PROTOCOL": protocol, "TIMEOUT": "2"})
        spans = some_spans(1)
        assert not sent_by_them(protocol, spans)
        assert "certificate" in sent_by_us(tmp_path, spans).failed.lower()
        assert sink.arrived == []
    finally:
        sink.close()


GRPC_ENVIRONMENTS: dict[str, dict[str, str]] = {
    "scheme": {"ENDPOINT": "{url}"},
    "scheme with a path": {"ENDPOINT": "{url}/ignored"},
    "no scheme": {"ENDPOINT": "{address}", "INSECURE": "true"},
    "no scheme, of the signal": {"ENDPOINT": "nowhere:1", "TRACES_ENDPOINT": "{address}", "TRACES_INSECURE": "TRUE"},
    "headers": {"ENDPOINT": "{url}", "HEADERS": "Authorization=Basic%20abc,x-tenant=a", "TRACES_HEADERS": ""},
    "headers of the signal": {"ENDPOINT": "{url}", "HEADERS": "a=1", "TRACES_HEADERS": "b=2"},
    "timeout": {"ENDPOINT": "{url}", "TIMEOUT": "8"},
    "gzip": {"ENDPOINT": "{url}", "COMPRESSION": "gzip"},
}


@pytest.mark.parametrize("name", GRPC_ENVIRONMENTS)
def test_a_grpc_server_sees_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    sink = GrpcSink()
    variables = filled({**GRPC_ENVIRONMENTS[name], "PROTOCOL": "grpc"}, sink.url)
    if variables.get("TRACES_HEADERS") == "":
        del variables["TRACES_HEADERS"]  # the official one takes an empty variable as set, against the specification
    try:
        set_only(monkeypatch, variables)
        compare("grpc", tmp_path, sink)
    finally:
        sink.close()


class Relay:
    """Passes bytes between clients and a server and counts those to the server."""

    def __init__(self, port: int) -> None:
        self.count = 0
        self._port = port
        self._last = 0
        self._listener = socket.create_server(("localhost", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        passing = []
        while True:
            client, address = self._listener.accept()
            if address[1] == self._last:
                client.close()
                break
            server = socket.create_connection(("localhost", self._port))
            passing.append(threading.Thread(target=self._pass_both, args=(client, server)))
            passing[-1].start()
        for thread in passing:
            thread.join()

    def _pass_both(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            back = threading.Thread(target=self._pass, args=(server, client, False))
            back.start()
            self._pass(client, server, True)
            back.join()

    def _pass(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(65536):
                self.count += len(data) if counted else 0
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        with socket.socket() as last:
            last.bind(("127.0.0.1", 0))
            self._last = last.getsockname()[1]
            last.connect(("127.0.0.1", self.port))
        self._thread.join()
        self._listener.close()


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_grpc_messages_are_as_small_on_the_wire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str
) -> None:
    sink = GrpcSink()
    relay = Relay(sink.port)
    try:
        endpoint = f"http://localhost:{relay.port}"
        set_only(monkeypatch, {"ENDPOINT": endpoint, "PROTOCOL": "grpc", "COMPRESSION": compression})
        if compression == "none":
            monkeypatch.delenv(f"{PREFIX}COMPRESSION")  # the official one does not know the word
        spans = some_spans(500)
        assert sent_by_them("grpc", spans)
        expected, relay.count = relay.count, 0
        assert sent_by_us(tmp_path, spans).sent == len(spans)
        assert 0.8 < relay.count / expected < 1.25
    finally:
        relay.close()
        sink.close()


def waits_of_theirs(caplog: pytest.LogCaptureFixture) -> list[float]:
    found = [re.search(r"retrying in ([\d.]+)s", record.getMessage()) for record in caplog.records]
    return [float(match[1]) for match in found if match]


def waits_of_ours(state_dir: Path, spans: list[ReadableSpan]) -> list[float]:
    """Return the waits between the tries, which are not waited for here."""
    journaled(state_dir, spans)
    forwarder = ours(state_dir)
    waits = []
    while (progress := forwarder.pump(patient=False)).failed:
        waits.append(progress.wait)
    forwarder.close()
    return waits


def test_the_schedule_of_retries_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sink = HttpSink()
    answers = [Answer(503), Answer(503), Answer(429, {"Retry-After": "1"}), Answer(502, {"Retry-After": "0"})]
    try:
        set_only(monkeypatch, {"ENDPOINT": sink.url, "TIMEOUT": "20"})
        spans = some_spans(1)
        sink.answers = list(answers)
        with caplog.at_level(logging.WARNING):
            assert sent_by_them("http/protobuf", spans)
        requests = len(sink.arrived)
        sink.answers = list(answers)
        found, expected = waits_of_ours(tmp_path, spans), waits_of_theirs(caplog)
        assert len(sink.arrived) == 2 * requests == 10
        for waits in (found, expected):
            assert 0.8 <= waits[0] <= 1.2
            assert 1.6 <= waits[1] <= 2.4
            assert waits[2:] == [1.0, 0.0]
    finally:
        sink.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 422, 429, 500, 501, 502, 503, 504])
def test_the_same_http_statuses_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    sink = HttpSink()
    try:
        set_only(monkeypatch, {"ENDPOINT": sink.url})
        spans = some_spans(1)[:1]
        sink.answers = [Answer(status, {"Retry-After": "0"})]
        taken = sent_by_them("http/protobuf", spans)
        requests = len(sink.arrived)
        sink.answers = [Answer(status, {"Retry-After": "0"})]
        waits = waits_of_ours(tmp_path, spans)
        assert len(sink.arrived) - requests == requests
        assert taken is bool(waits)
    finally:
        sink.close()


@pytest.mark.parametrize("code", [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_the_same_grpc_statuses_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    sink = GrpcSink()
    now = {"google.rpc.retryinfo-bin": RetryInfo(retry_delay=Duration()).SerializeToString()}
    try:
        set_only(monkeypatch, {"ENDPOINT": sink.url, "PROTOCOL": "grpc"})
        spans = some_spans(1)[:1]
        sink.answers = [Answer(code, now)]
        taken = sent_by_them("grpc", spans)
        requests = len(sink.arrived)
        sink.answers = [Answer(code, now)]
        waits = waits_of_ours(tmp_path, spans)
        assert len(sink.arrived) - requests == requests
        assert taken is bool(waits)
    finally:
        sink.close()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_timeout_is_in_seconds_for_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    sink = GrpcSink() if protocol == "grpc" else HttpSink()
    sink.answer = lambda body: Answer(after=1.5)
    try:
        set_only(monkeypatch, {"ENDPOINT": sink.url, "PROTOCOL": protocol, "TIMEOUT": "0.2"})
        spans = some_spans(1)
        assert not sent_by_them(protocol, spans)
        assert sent_by_us(tmp_path, spans).failed
    finally:
        sink.close()


def test_a_tunnel_through_a_proxy_ends_at_the_server_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    proxy, server = HttpSink(), HttpSink(authority.server)
    try:
        set_only(monkeypatch, filled({"ENDPOINT": "{url}", "CERTIFICATE": "{ca}"}, server.url, authority))
        monkeypatch.setenv("https_proxy", proxy.url.replace("://", "://me:s%3Acret@"))
        compare("http/protobuf", tmp_path, server)
        assert proxy.arrived == []
        theirs_first, ours_then = proxy.tunnels
        assert ours_then == theirs_first
    finally:
        proxy.close()
        server.close()


def test_a_proxy_is_used_and_its_exceptions_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, direct = HttpSink(), HttpSink()
    try:
        for exempt, sink, path in (("", proxy, f"{direct.url}/v1/traces"), ("other, localhost", direct, "/v1/traces")):
            set_only(monkeypatch, {"ENDPOINT": direct.url})
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", exempt)
            assert compare("http/protobuf", tmp_path / str(sink.port), sink)[1] == path
            sink.arrived.clear()
    finally:
        proxy.close()
        direct.close()
