"""What every sender has in common: what a request can come to, and how we name ourselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from agentos_otel.export.fold import fields
from agentos_otel.journal.record import read_varint


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request.

    Attributes:
        kind: `sent`; `retry`: later, all of it again; `refused`: never as it is, yet a part of it may pass (too large,
            or one span among others is wrong); `denied`: never, whatever part (credentials, address).
        detail: What the server or the connection said, for reports.
        retry_after: Seconds that the server asks to wait.
        rejected: Spans that the server took the request without.
    """

    kind: Literal["sent", "retry", "refused", "denied"]
    detail: str = ""
    retry_after: float | None = None
    rejected: int = 0


class Sender(Protocol):
    """Sends encoded requests to one destination; used by one thread at a time."""

    def send(self, body: bytes) -> Outcome:
        """Send one `ExportTraceServiceRequest`; never raises for what a network or server can do."""
        ...

    def close(self) -> None:
        """Let the connection go."""
        ...


def user_agent() -> str:
    """Return how we name ourselves to servers: our name before the exporter's, as the specification asks."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"agentos-otel/{version('agentos-otel')} OTel-OTLP-Exporter-Python"
    except PackageNotFoundError:
        return "agentos-otel OTel-OTLP-Exporter-Python"


def accepted(response: bytes) -> Outcome:
    """Return the outcome that an `ExportTraceServiceResponse` tells: partial success counts what was rejected."""
    rejected, detail = 0, ""
    try:
        for number, _, value, end in fields(response):
            if number == 1:
                for inner, _, start, stop in fields(response, value, end):
                    if inner == 1:
                        rejected = read_varint(response, start)[0]
                    elif inner == 2:
                        detail = response[start:stop].decode("utf-8", "replace")
    except ValueError:
        return Outcome("sent")  # the status said so; servers answer with JSON or text where protobuf is due (seen)
    return Outcome("sent", detail, rejected=rejected if rejected < 1 << 63 else 0)
