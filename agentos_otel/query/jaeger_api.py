"""Asks Jaeger over HTTP; every way in which it cannot answer becomes one line that names the cause."""

from __future__ import annotations

import base64
import json
import ssl
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final, NoReturn
from urllib.parse import unquote, urlencode, urlsplit

from agentos_otel.errors import BackendError, ConfigurationError
from agentos_otel.semconv import ENV_JAEGER_URL

TIMEOUT: Final = 10.0
"""Seconds that Jaeger may take to connect, and between two pieces of an answer."""
_QUERY_PORT: Final = "Jaeger's query API has port 16686"


class JaegerApi:
    """Jaeger's query API at one address.

    Args:
        url: `http://HOST:16686`, or `https://USER:PASSWORD@HOST/BASE`.

    Raises:
        ConfigurationError: `url` is no such address.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            if not host or parts.scheme not in ("http", "https"):
                raise ValueError
        except ValueError:
            raise ConfigurationError(f"{ENV_JAEGER_URL} is no address: set it to http://HOST:16686") from None
        shown = f"{host}:{port}" if port else host
        self.url = f"{parts.scheme}://{shown}{parts.path.rstrip('/')}"
        """The address without what it holds of a user and a password."""
        self._base = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(host, port, timeout=timeout)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def get(self, path: str, **query: str) -> dict[str, Any] | None:
        """Return the JSON object at `path`, or None where Jaeger has nothing of the kind (404).

        Raises:
            BackendError: Jaeger does not answer, or not as Jaeger does.
        """
        target = f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            self._connection.request("GET", target, headers=self._headers)
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise BackendError(f"Jaeger at {self.url}: {_cause(error)}") from error
        return self._value(response, body)

    def _value(self, response: HTTPResponse, body: bytes) -> dict[str, Any] | None:
        text = body.decode("utf-8", "replace").strip()
        if response.status == 400 and "HTTP request" in text and "HTTPS" in text:
            self._refuse("TLS is spoken there: write https://")
        if response.status in (401, 403, 407):
            self._refuse(f"access is refused ({response.status}): write http(s)://USER:PASSWORD@… in {ENV_JAEGER_URL}")
        if 300 <= response.status < 400:
            self._refuse(
                f"it leads elsewhere ({response.getheader('Location', '')}): give the address behind the login"
            )
        try:
            value = json.loads(text) if text else None
        except ValueError:
            value = None
        if response.status == 404 and isinstance(value, dict):
            return None
        if not isinstance(value, dict):
            kind = "HTML" if text.startswith("<") else "no JSON"
            self._refuse(f"the answer is {kind}: it is another server, or a Jaeger before 2.0; {_QUERY_PORT}")
        if response.status >= 400:
            self._refuse(f"the question is refused ({response.status}): {_message(value)}")
        return value

    def _refuse(self, why: str) -> NoReturn:
        raise BackendError(f"Jaeger at {self.url}: {why}")


def trace_link(url: str, trace_id: str | None) -> str:
    """Return where a browser shows the trace, or "" where no address of Jaeger is known."""
    try:
        return f"{JaegerApi(url).url}/trace/{trace_id}" if url and trace_id else ""
    except ConfigurationError:  # `doctor` says so; what was asked for here can be answered
        return ""


def _cause(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}): set SSL_CERT_FILE to the authority's"
    if isinstance(error, ssl.SSLError):
        plain = error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
        return "no TLS is spoken there: write http://" if plain else f"TLS fails ({error.reason or error})"
    if isinstance(error, TimeoutError):
        return "it does not answer in time: is it the right address?"
    if isinstance(error, HTTPException | ConnectionResetError | BrokenPipeError):
        return f"no HTTP is spoken there: {_QUERY_PORT}; with TLS write https://"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens there: start it, or correct {ENV_JAEGER_URL}"
    return f"it cannot be reached ({getattr(error, 'strerror', None) or error})"


def _message(value: dict[str, Any]) -> str:
    error = value.get("error")
    said = error.get("message") if isinstance(error, dict) else value.get("errors") or error
    return str(said)[:200]
