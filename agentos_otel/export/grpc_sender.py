"""OTLP/gRPC by grpcio; imported only where the protocol asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import grpc

from agentos_otel.export.destination import Destination
from agentos_otel.export.fold import fields
from agentos_otel.export.sender import Outcome, accepted, user_agent
from agentos_otel.journal.record import read_varint

METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
RETRYABLE: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_COMPRESSION: Final = {
    "none": grpc.Compression.NoCompression,
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
}


class GrpcSender:
    """Sends requests over one channel, which reconnects by itself."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._metadata = tuple(destination.headers.items())
        options = [("grpc.primary_user_agent", user_agent())]
        compression = _COMPRESSION[destination.compression]
        if destination.insecure:
            self._channel = grpc.insecure_channel(destination.endpoint, options, compression)
        else:
            self._channel = grpc.secure_channel(destination.endpoint, _credentials(destination), options, compression)
        self._export = self._channel.unary_unary(METHOD)  # no serializer: bytes go as they are

    def send(self, body: bytes) -> Outcome:
        """Call Export once; see `Sender`."""
        try:
            return accepted(self._export(body, timeout=self._destination.timeout, metadata=self._metadata))
        except grpc.RpcError as error:
            return _outcome(error)

    def close(self) -> None:
        """Let the channel go."""
        self._channel.close()


def _credentials(destination: Destination) -> Any:
    files = (destination.certificate, destination.client_key, destination.client_certificate)
    authorities, key, chain = (Path(name).read_bytes() if name else None for name in files)
    # A file may hold both, as it may for HTTP.
    return grpc.ssl_channel_credentials(authorities, key or chain, chain)


def _outcome(error: Any) -> Outcome:
    code, said = error.code(), " ".join(str(error.details() or "").split())[:300]
    detail = f"gRPC {code.name}" + (f": {said}" if said else "")
    if code in RETRYABLE:
        delay = _retry_delay(error.trailing_metadata() or ())
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and delay is None and "larger than max" in said:
            return Outcome("refused", detail)  # as often as it is sent; parts of it may pass
        return Outcome("retry", detail, delay)
    return Outcome("refused" if code is grpc.StatusCode.INVALID_ARGUMENT else "denied", detail)


def _retry_delay(metadata: Any) -> float | None:
    """Return the seconds of a `google.rpc.RetryInfo`, alone in its own key or among the details of the status."""
    try:
        for key, value in metadata:
            if key == "google.rpc.retryinfo-bin":
                return _delay(value)
            if key == "grpc-status-details-bin":
                for number, _, start, end in fields(value):
                    if number == 3 and b"google.rpc.RetryInfo" in value[start:end]:
                        return next((_delay(value[v:e]) for n, _, v, e in fields(value, start, end) if n == 2), None)
    except ValueError:
        pass
    return None


def _delay(retry_info: bytes) -> float:
    """Return the seconds of field 1 of a `RetryInfo`, a `Duration` of seconds and nanoseconds."""
    total = 0.0
    for number, _, start, end in fields(retry_info):
        if number == 1:
            for unit, _, value, _ in fields(retry_info, start, end):
                total += read_varint(retry_info, value)[0] * (1.0 if unit == 1 else 1e-9)
    return total
