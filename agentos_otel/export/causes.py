"""What a failure to send means: for what libraries and servers say, the cause, and what to set."""

from __future__ import annotations

import re
from typing import Final

_NO_OTLP: Final = (
    "no OTLP is taken at that address: the Collector's port for HTTP is 4318; "
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT takes the whole path"
)
_CAUSES: Final = tuple(
    (re.compile(pattern), cause)
    for pattern, cause in (
        ("CERTIFICATE_VERI", "its certificate is not trusted: set OTEL_EXPORTER_OTLP_CERTIFICATE to the authority's"),
        ("WRONG_VERSION|RECORD_LAYER_FAILURE", "no TLS is spoken there: write http://"),
        ("HTTP request (to an|was sent to) HTTPS", "TLS is spoken there: write https://"),
        (r"^HTTP (401|403|407)|^gRPC (UNAUTHENTICATED|PERMISSION_DENIED)",
         "access is refused: set OTEL_EXPORTER_OTLP_HEADERS, such as authorization=Bearer%20TOKEN"),
        (r"^HTTP 3\d\d", "it leads elsewhere, such as to a login: give the address behind it"),
        (r"^HTTP (404|405|501)|^gRPC UNIMPLEMENTED|the answer is HTML", _NO_OTLP),
        ("http1.x|SETTINGS frame", "no gRPC is spoken there: its port is 4317; for 4318 set "
                                   "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"),
        ("Socket closed|Connection reset by peer|ConnectionResetError|RemoteDisconnected|BadStatusLine|Broken pipe",
         "another protocol is spoken there, or it ended just then: with TLS write https://; 4318 is for HTTP, "
         "4317 for OTEL_EXPORTER_OTLP_PROTOCOL=grpc"),
        ("Connection refused", "nothing listens there: start it, or correct OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("gaierror|DNS resolution failed|Domain name not found",
         "no host has that name: correct OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("TimeoutError|timed out|DEADLINE_EXCEEDED", "it does not answer in time: is it the right address?"),
    )
)  # fmt: skip


def explained(detail: str) -> str:
    """Return what was said of a failure, after its cause where that is known: one line."""
    cause = next((cause for pattern, cause in _CAUSES if pattern.search(detail)), "")
    return f"{cause} ({detail})" if cause else detail
