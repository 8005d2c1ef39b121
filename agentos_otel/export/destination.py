"""Where spans are sent: what the `OTEL_EXPORTER_OTLP_*` variables mean, read as the OpenTelemetry SDK reads them.

Where the SDK for Python and the specification differ, a program that is moved from the one exporter to the other must
not notice: the timeout is in seconds, and header values need not be URL encoded.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from agentos_otel import semconv
from agentos_otel.errors import ConfigurationError

Protocol = Literal["http/protobuf", "grpc"]
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE: Final = re.compile(r"[ -~]*")
_ENCODED: Final = re.compile(r"[!-~]*")
COMPRESSIONS: Final = ("none", "gzip", "deflate")
TRACES_PATH: Final = "v1/traces"


@dataclass(frozen=True, slots=True)
class Destination:
    """One OTLP endpoint and how it is spoken to.

    Attributes:
        protocol: `http/protobuf` or `grpc`.
        endpoint: The whole URL for HTTP; `host:port` for gRPC.
        headers: Further headers (gRPC: metadata), names in lower case.
        compression: `none`, `gzip` or `deflate`.
        timeout: Seconds that one request may take.
        certificate: File with the authorities that sign the server's certificate; empty takes the system's.
        client_key: File with the client's key; empty has none, or one in the file of the certificate.
        client_certificate: File with the client's certificate chain.
        insecure: No TLS.
        proxy: URL of the HTTP proxy; gRPC finds its own.
    """

    protocol: Protocol
    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # they hold secrets
    compression: str = "none"
    timeout: float = 10.0
    certificate: str = ""
    client_key: str = ""
    client_certificate: str = ""
    insecure: bool = False
    proxy: str = ""


class _Variables:
    """The variables of one signal: the signal's own wins over the general one; an empty one is not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def named(self, name: str) -> tuple[str, str]:
        """Return the variable that holds `name` (such as `HEADERS`), and its value; empty where none does."""
        for prefix in (semconv.OTEL_EXPORTER_OTLP_TRACES_PREFIX, semconv.OTEL_EXPORTER_OTLP_PREFIX):
            value = self._environ.get(prefix + name, "").strip()
            if value:
                return prefix + name, value
        return semconv.OTEL_EXPORTER_OTLP_PREFIX + name, ""

    def get(self, name: str) -> str:
        """Return the value alone."""
        return self.named(name)[1]


def from_environ(environ: Mapping[str, str]) -> Destination | None:
    """Return the destination that `environ` describes, or None where it names no endpoint.

    Raises:
        ConfigurationError: A variable holds what it cannot mean.
    """
    variables = _Variables(environ)
    if not variables.get("ENDPOINT"):
        return None
    protocol = _protocol(variables)
    endpoint, insecure = _grpc_endpoint(variables) if protocol == "grpc" else _http_endpoint(variables)
    return Destination(
        protocol=protocol,
        endpoint=endpoint,
        headers=_headers(*variables.named("HEADERS")),
        compression=_compression(*variables.named("COMPRESSION")),
        timeout=_timeout(*variables.named("TIMEOUT")),
        certificate=_file(*variables.named("CERTIFICATE")),
        client_key=_file(*variables.named("CLIENT_KEY")),
        client_certificate=_file(*variables.named("CLIENT_CERTIFICATE")),
        insecure=insecure,
        proxy=_proxy(environ, endpoint) if protocol != "grpc" else "",
    )


def _protocol(variables: _Variables) -> Protocol:
    variable, value = variables.named("PROTOCOL")
    if value in ("", "http/protobuf"):
        return "http/protobuf"
    if value == "grpc":
        return "grpc"
    raise ConfigurationError(f"{variable}={value!r} is not a protocol that is spoken here: set http/protobuf or grpc")


def _http_endpoint(variables: _Variables) -> tuple[str, bool]:
    variable, value = variables.named("ENDPOINT")
    parts = _url(variable, value, "http://localhost:4318")
    if variable.startswith(semconv.OTEL_EXPORTER_OTLP_TRACES_PREFIX):
        return value, parts.scheme == "http"  # a signal's own endpoint is used as it is
    return f"{value.removesuffix('/')}/{TRACES_PATH}", parts.scheme == "http"


def _grpc_endpoint(variables: _Variables) -> tuple[str, bool]:
    """Return `host:port` and whether TLS is off: the scheme decides, and INSECURE only where there is none."""
    variable, value = variables.named("ENDPOINT")
    if "://" not in value:
        _url(variable, f"http://{value}", "http://localhost:4317")
        return value, variables.get("INSECURE").lower() == "true"
    parts = _url(variable, value, "http://localhost:4317")
    return parts.netloc, parts.scheme == "http"


def _url(variable: str, value: str, example: str) -> SplitResult:
    """Return the parts of a URL whose host and port can be."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(value)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    shown = value.rpartition("@")[2]  # what stands before may be a password
    raise ConfigurationError(f"{variable}={shown!r} is no URL of an endpoint: set it to one such as {example}")


def _headers(variable: str, value: str) -> dict[str, str]:
    """Return `name=value,name=value` as a mapping, names in lower case."""
    headers = {}
    for pair in value.split(","):
        if not pair.strip():
            continue
        name, equals, content = pair.partition("=")
        name, content = unquote(name).strip().lower(), content.strip()
        # Values that are not URL encoded, though they should be, are taken as they are: other SDKs write them.
        content = unquote(content) if _ENCODED.fullmatch(content) else content
        if not equals or not _NAME.fullmatch(name) or not _VALUE.fullmatch(content):
            # Not the pair itself: it may hold a secret.
            raise ConfigurationError(f"{variable} holds something else than name=value pairs with commas between them")
        headers[name] = content
    return headers


def _compression(variable: str, value: str) -> str:
    chosen = value.lower() or "none"
    if chosen not in COMPRESSIONS:
        raise ConfigurationError(f"{variable}={value!r} is not one of {', '.join(COMPRESSIONS)}")
    return chosen


def _timeout(variable: str, value: str) -> float:
    try:
        seconds = float(value or "10")
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise ConfigurationError(f"{variable}={value!r} is no number of seconds: set it to one such as 10")
    return seconds


def _file(variable: str, value: str) -> str:
    if value:
        try:
            with open(value, "rb"):  # noqa: PTH123 - asked for by name, never resolved
                pass
        except OSError as error:
            raise ConfigurationError(f"{variable}={value!r} cannot be read: {error.strerror}") from error
    return value


def _proxy(environ: Mapping[str, str], url: str) -> str:
    """Return the proxy for `url`, as the usual variables name it; one without a scheme is spoken to by HTTP."""
    lowered = {name.lower(): value for name, value in environ.items() if name.lower().endswith("_proxy")}
    parts = urlsplit(url)
    proxy = lowered.get(f"{parts.scheme}_proxy", "")
    if not proxy:
        return ""
    host = (parts.hostname or "").lower()
    for exempt in lowered.get("no_proxy", "").lower().replace(",", " ").split():
        if exempt == "*" or host == exempt.lstrip(".") or host.endswith("." + exempt.lstrip(".")):
            return ""
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    _url(f"{parts.scheme}_proxy", proxy, "http://proxy:3128")
    return proxy
