"""OTLP/HTTP by the standard library: a connection that is kept, TLS, proxies, Retry-After.

`requests` would do it in one call, at 60 ms of import and with its own names in the traced program's `sys.modules`.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import ssl
import time
import zlib
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import unquote, urlsplit

from agentos_otel.errors import ConfigurationError
from agentos_otel.export.destination import Destination
from agentos_otel.export.fold import fields
from agentos_otel.export.sender import Outcome, accepted, user_agent

RETRYABLE: Final = frozenset({429, 502, 503, 504})
DIVISIBLE: Final = frozenset({400, 413, 422})
"""What one span among others may be the cause of; other refusals are about the request whatever it holds."""
_RESPONSE_LIMIT: Final = 64 << 10
_COMPRESS: Final[dict[str, Callable[[bytes], bytes]]] = {
    # Level 6, as zlib's default: 9, which is gzip's, takes twice the time for 1 % fewer bytes.
    "gzip": lambda body: gzip.compress(body, 6, mtime=0),
    "deflate": zlib.compress,
}


class HttpSender:
    """Sends requests over one connection, which is made again when it breaks.

    Raises:
        ConfigurationError: The certificates cannot be used.
    """

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        url = urlsplit(destination.endpoint)
        self._host, self._port = url.hostname or "", url.port
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._tls = _tls(destination) if url.scheme == "https" else None
        self._headers = {"content-type": "application/x-protobuf", "user-agent": user_agent()}
        if url.username is not None:
            self._headers["authorization"] = _basic(url.username, url.password)
        if destination.compression != "none":
            self._headers["content-encoding"] = destination.compression
        self._headers.update(destination.headers)
        self._compress = _COMPRESS.get(destination.compression)
        self._connection: http.client.HTTPConnection | None = None

    def send(self, body: bytes) -> Outcome:
        """Post one request; see `Sender`."""
        if self._compress is not None:
            body = self._compress(body)
        kept = self._connection is not None
        try:
            return self._post(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            failure = error
        if kept and not isinstance(failure, TimeoutError):
            # A kept connection that the server has closed meanwhile says nothing about the server: once more at once.
            try:
                return self._post(body)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                failure = error
        return Outcome("retry", f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__)

    def _post(self, body: bytes) -> Outcome:
        connection = self._connection = self._connection or self._connect()
        connection.request("POST", self._target, body, self._headers)
        response = connection.getresponse()
        try:
            content = response.read(_RESPONSE_LIMIT)
        except BaseException:
            response.close()  # it holds the socket open, whose connection is closed
            raise
        if response.will_close or not response.isclosed():
            self.close()
        return _outcome(response.status, response.reason, content, response.headers.get("retry-after"))

    def _connect(self) -> http.client.HTTPConnection:
        timeout, proxy = self._destination.timeout, urlsplit(self._destination.proxy)
        self._target = self._path
        host, port = (proxy.hostname, proxy.port) if proxy.hostname else (self._host, self._port)
        if self._tls is None:
            connection = http.client.HTTPConnection(host or "", port, timeout=timeout)
            if proxy.hostname:
                self._target = self._destination.endpoint  # a proxy is asked for the whole URL
                if proxy.username is not None:
                    self._headers["proxy-authorization"] = _basic(proxy.username, proxy.password)
            return connection
        secure = http.client.HTTPSConnection(host or "", port, timeout=timeout, context=self._tls)
        if proxy.hostname:
            login = {"proxy-authorization": _basic(proxy.username, proxy.password)} if proxy.username else {}
            secure.set_tunnel(self._host, self._port or 443, login)
        return secure

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _basic(user: str, password: str | None) -> str:
    return "Basic " + base64.b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()


def _tls(destination: Destination) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=destination.certificate or None)
        if destination.client_certificate:
            context.load_cert_chain(destination.client_certificate, destination.client_key or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"a certificate of OTEL_EXPORTER_OTLP_* cannot be used: {error}") from error
    return context


def _outcome(status: int, reason: str, content: bytes, retry_after: str | None) -> Outcome:
    if 200 <= status < 300:
        if content.lstrip()[:1] == b"<":  # a page of another server's, such as of Jaeger's own
            return Outcome("denied", f"HTTP {status} {reason}: the answer is HTML")
        return accepted(content)
    said = _message(content)
    detail = f"HTTP {status} {reason}" + (f": {said}" if said else "")
    if "HTTP request" in said and "HTTPS" in said:
        return Outcome("denied", detail)  # a server with TLS says so with 400, whatever is sent
    if status in RETRYABLE:
        return Outcome("retry", detail, _seconds(retry_after))
    # A redirect is refused too: following it would send credentials to where nobody has told us to.
    return Outcome("refused" if status in DIVISIBLE else "denied", detail)


def _message(content: bytes) -> str:
    """Return what an error's body says: a `google.rpc.Status`, or text."""
    try:
        for number, _, value, end in fields(content):
            if number == 2:
                content = content[value:end]
    except ValueError:
        pass
    return " ".join(content[:200].decode("utf-8", "replace").split())


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds that a Retry-After header (RFC 9110) asks for, or None."""
    value = (retry_after or "").strip()
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
