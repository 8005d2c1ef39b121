"""A Jaeger that cannot be asked: doctor names the cause in one line, and what lies here is still shown."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from agentos_otel import bootstrap, settings
from agentos_otel.errors import BackendError, ConfigurationError
from agentos_otel.query import sources
from tests.integration.answering import answering, greeting
from tests.integration.backends import JaegerServer, free_address, running
from tests.integration.otlp_servers import HttpSink


@pytest.fixture
def task_id(tmp_path: Path) -> str:
    """A task that lies here."""
    code = "from agentos_otel import current_task, task\nwith task('rename'): print(current_task().task_id)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ(tmp_path), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def environ(folder: Path, url: str = "") -> dict[str, str]:
    return {**os.environ, "AGENTOS_OTEL_STATE_DIR": str(folder / "state"), "AGENTOS_OTEL_JAEGER_URL": url}


def shell(folder: Path, url: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agentos_otel", *arguments]
    full = {**environ(folder, url), **variables}
    return subprocess.run(command, env=full, capture_output=True, text=True, check=False)


def refused(folder: Path, task_id: str, url: str, **variables: str) -> str:
    """Return what doctor says of Jaeger; the task that lies here is read all the same."""
    space = bootstrap.open_workspace(settings.read(environ(folder, url)))
    try:
        space.refresh()
        found, note = sources.read(space, task_id)
        assert (found["task"]["name"], note) == ("rename", "")
        with pytest.raises((BackendError, ConfigurationError)):
            sources.read(space, task_id, "jaeger")
    finally:
        space.close()
    done = shell(folder, url, "doctor", **variables)
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if "jaeger: " in line)
    assert line.startswith("BAD  jaeger: ")
    return line


def test_the_shell_shows_what_lies_here_and_says_in_one_line_what_does_not(tmp_path: Path, task_id: str) -> None:
    url = f"http://{free_address()}:16686"
    here = shell(tmp_path, url, "task", "show", task_id)
    assert (here.returncode, here.stderr) == (0, "")
    assert "task rename" in here.stdout
    for arguments in ((task_id, "--from", "jaeger"), ("a_task_that_is_elsewhere",)):
        there = shell(tmp_path, url, "task", "show", *arguments)
        assert (there.returncode, there.stdout) == (2, "")
        assert there.stderr.startswith("agentos-otel: ")
        assert "nothing listens there" in there.stderr
        assert there.stderr.count("\n") == 1


def test_nothing_listens(tmp_path: Path, task_id: str) -> None:
    assert "nothing listens there" in refused(tmp_path, task_id, f"http://{free_address()}:16686")


def test_the_host_has_no_address(tmp_path: Path, task_id: str) -> None:
    assert "it cannot be reached" in refused(tmp_path, task_id, "http://jaeger.invalid:16686")


@pytest.mark.parametrize("url", ["jaeger:16686", "ftp://jaeger", "http://[::1"])
def test_what_is_set_is_no_address(tmp_path: Path, task_id: str, url: str) -> None:
    assert "AGENTOS_OTEL_JAEGER_URL is no address: set it to http://HOST:16686" in refused(tmp_path, task_id, url)


def test_another_protocol_is_spoken(tmp_path: Path, task_id: str) -> None:
    with greeting() as url:
        assert "no HTTP is spoken there: Jaeger's query API has port 16686" in refused(tmp_path, task_id, url)


def test_html_is_answered(tmp_path: Path, task_id: str) -> None:
    for status in (200, 404):
        with answering(status, "<!doctype html><title>Welcome</title>") as url:
            assert "the answer is HTML: it is another server, or a Jaeger before 2.0" in refused(tmp_path, task_id, url)


def test_access_is_refused(tmp_path: Path, task_id: str) -> None:
    with answering(401, "no") as url:
        line = refused(tmp_path, task_id, url.replace("//", "//reader:swordfish@"))
        assert "access is refused (401)" in line
        assert "swordfish" not in line


def test_a_login_is_in_between(tmp_path: Path, task_id: str) -> None:
    with answering(302, "", Location="https://login.example.org/") as url:
        assert "it leads elsewhere (https://login.example.org/)" in refused(tmp_path, task_id, url)


def test_tls_is_asked_of_a_server_without(tmp_path: Path, task_id: str) -> None:
    with answering(200, "{}") as url:
        assert "no TLS is spoken there: write http://" in refused(tmp_path, task_id, url.replace("http:", "https:"))


def test_its_certificate_is_not_trusted_or_tls_is_left_out(tmp_path: Path, task_id: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with closing(HttpSink(context)) as server:
        line = refused(tmp_path, task_id, server.url)
        assert "its certificate is not trusted (unable to get local issuer certificate): set SSL_CERT_FILE" in line
        line = refused(tmp_path, task_id, server.url.replace("https:", "http:"))
        assert "no HTTP is spoken there: Jaeger's query API has port 16686; with TLS write https://" in line


def test_a_proxy_with_tls_is_in_between(tmp_path: Path, task_id: str) -> None:
    with answering(400, "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>") as url:
        assert "TLS is spoken there: write https://" in refused(tmp_path, task_id, url)


@pytest.mark.jaeger
def test_a_real_jaeger_speaks_tls(tmp_path: Path, task_id: str) -> None:
    pair = tmp_path / "pair.pem"
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(pair))
    tls = f"extensions::jaeger_query::http::tls: {{cert_file: {pair}, key_file: {pair}}}"
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    server = JaegerServer(tmp_path / "jaeger", tls)
    with running(server):
        secure = server.url.replace("http:", "https:")
        assert "TLS is spoken there: write https://" in refused(tmp_path, task_id, server.url)
        assert "its certificate is not trusted (unable to get local issuer" in refused(tmp_path, task_id, secure)
        trusting = {"SSL_CERT_FILE": str(tmp_path / "authority.pem")}
        assert "its certificate is not trusted (IP address mismatch" in refused(tmp_path, task_id, secure, **trusting)


def test_a_jaeger_without_the_query_api_of_version_3_is_too_old(tmp_path: Path, task_id: str) -> None:
    for body in ("404 page not found", ""):
        with answering(404, body) as url:
            line = refused(tmp_path, task_id, url)
            assert "the answer is no JSON: it is another server, or a Jaeger before 2.0" in line


def test_an_error_is_answered(tmp_path: Path, task_id: str) -> None:
    with answering(500, '{"error": {"httpCode": 500, "message": "storage is away"}}') as url:
        assert "the question is refused (500): storage is away" in refused(tmp_path, task_id, url)


def test_an_answer_with_empty_lists_is_no_error(tmp_path: Path, task_id: str) -> None:
    for body in ('{"services": []}', '{"services": null}', "{}"):
        with answering(200, body) as url:
            assert "ok   jaeger: " in shell(tmp_path, url, "doctor").stdout


@pytest.mark.jaeger
def test_the_port_of_another_protocol_of_jaeger_is_named_too(
    tmp_path: Path, task_id: str, jaeger: JaegerServer
) -> None:
    assert "no HTTP is spoken there" in refused(tmp_path, task_id, f"http://{jaeger.address}:14317")
    assert "the answer is HTML" in refused(tmp_path, task_id, f"{jaeger.url}/elsewhere")
    assert "no TLS is spoken there" in refused(tmp_path, task_id, jaeger.url.replace("http:", "https:"))
