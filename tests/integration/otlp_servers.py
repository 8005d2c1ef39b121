"""Real OTLP servers on loopback that note what arrives and answer as they are told."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext, SSLSocket
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from agentos_otel.export.grpc_sender import METHOD


@dataclass(frozen=True)
class Answer:
    """What a server says to one request: an HTTP status, or the name of a gRPC one, and what goes with it."""

    status: int | str = 200
    headers: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""
    after: float = 0.0


@dataclass(frozen=True)
class Arrived:
    """One request as a server saw it."""

    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: Any

    @property
    def resource_spans(self) -> list[ResourceSpans]:
        return list(ExportTraceServiceRequest.FromString(self.body).resource_spans)

    @property
    def spans(self) -> list[Span]:
        return [span for found in self.resource_spans for scope in found.scope_spans for span in scope.spans]


class Sink:
    """What both kinds of server have in common: the requests, and the answers still to be given."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.answers: list[Answer] = []
        self.answer: Callable[[bytes], Answer] = lambda body: Answer()
        self.lock = threading.Lock()

    def take(self, arrived: Arrived) -> Answer:
        with self.lock:
            self.arrived.append(arrived)
            answer = self.answers.pop(0) if self.answers else self.answer(arrived.body)
        time.sleep(answer.after)
        return answer

    @property
    def spans(self) -> list[Span]:
        """The spans of all requests, whatever was answered."""
        return [span for request in self.arrived for span in request.spans]

    @property
    def span_ids(self) -> list[bytes]:
        return [span.span_id for span in self.spans]


_DECODE: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class HttpSink(Sink):
    """An OTLP/HTTP server, and a proxy for CONNECT; with `tls`, over TLS."""

    def __init__(self, tls: SSLContext | None = None, port: int = 0) -> None:
        super().__init__()
        self.tunnels: list[tuple[str, str | None]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = _DECODE.get(headers.get("content-encoding", ""), bytes)(raw)
                peer = self.connection.getpeercert() if isinstance(self.connection, SSLSocket) else None
                answer = sink.take(Arrived(time.monotonic(), self.command, self.path, headers, body, peer))
                if answer.status == 0:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(int(answer.status))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def do_CONNECT(self) -> None:
                sink.tunnels.append((self.path, self.headers.get("proxy-authorization")))
                host, port = self.path.split(":")
                with socket.create_connection((host, int(port))) as target:
                    self.send_response(200)
                    self.end_headers()
                    back = threading.Thread(target=_pass, args=(target, self.connection))
                    back.start()
                    _pass(self.connection, target)
                    back.join()
                self.close_connection = True

            def log_message(self, *arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that was killed, or whose certificate is missing

            def finish_request(self, request: Any, client_address: Any) -> None:
                if tls is None:
                    super().finish_request(request, client_address)
                    return
                with tls.wrap_socket(request, server_side=True) as secure:
                    super().finish_request(secure, client_address)

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        self.url = f"http{'s' if tls else ''}://localhost:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class GrpcSink(Sink):
    """An OTLP/gRPC server that takes messages of `limit` bytes; with `credentials`, over TLS."""

    def __init__(self, credentials: Any = None, limit: int = 4 << 20) -> None:
        super().__init__()
        self.server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", limit)])
        handler = grpc.unary_unary_rpc_method_handler(self._export)
        service, method = METHOD[1:].split("/")
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
        address = "localhost:0"
        if credentials is None:
            self.port = self.server.add_insecure_port(address)
        else:
            self.port = self.server.add_secure_port(address, credentials)
        self.url = f"http{'s' if credentials else ''}://localhost:{self.port}"
        self.server.start()

    def _export(self, body: bytes, context: Any) -> bytes:
        headers = dict(context.invocation_metadata())
        peer = context.auth_context().get("x509_common_name")
        answer = self.take(Arrived(time.monotonic(), "Export", METHOD, headers, body, peer))
        if isinstance(answer.status, str):
            context.set_trailing_metadata(tuple(answer.headers.items()))
            context.abort(grpc.StatusCode[answer.status], answer.body.decode())
        return answer.body

    def close(self) -> None:
        self.server.stop(None).wait()
