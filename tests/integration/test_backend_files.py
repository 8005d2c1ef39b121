"""The files of collector/ and docker-compose.yml, as the binaries that they are for understand them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import urlopen

import pytest

from agentos_otel import semconv
from tests.integration.backends import (
    CONFIGS,
    ROOT,
    CollectorServer,
    JaegerServer,
    Server,
    binaries,
    eventually,
    free_address,
)

pytestmark = pytest.mark.jaeger


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file as compose's own loader reads it: schema, references and interpolation are checked."""
    command = [str(binaries() / "compose"), "-format", "json", "-no-path-resolution", str(ROOT / "docker-compose.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr + done.stdout
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def validate(program: str, environ: dict[str, str], *configs: str) -> subprocess.CompletedProcess[str]:
    command = [str(binaries() / program), "validate", *(f"--config={config}" for config in configs)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("program", "config"),
    [("otelcol", "agent"), ("otelcol", "gateway"), ("jaeger", "jaeger"), ("jaeger", "jaeger-cassandra")],
)
def test_each_configuration_is_valid_to_its_program_alone_and_in_its_container(
    program: str, config: str, compose: dict[str, Any]
) -> None:
    file = f"file:{CONFIGS / config}.yaml"
    alone = validate(program, {"OTELCOL_CONFIG": str(CONFIGS)}, file)
    assert alone.returncode == 0, alone.stderr
    service = compose["services"]["collector" if program == "otelcol" else "jaeger"]
    inside = validate(program, {**service["environment"], "OTELCOL_CONFIG": str(CONFIGS)}, file)
    assert inside.returncode == 0, inside.stderr


def test_a_wrong_configuration_is_refused() -> None:
    file = f"file:{CONFIGS / 'gateway.yaml'}"
    done = validate("otelcol", {"OTELCOL_CONFIG": str(CONFIGS)}, file, "yaml:processors::memory_limiter::limit: 1")
    assert done.returncode == 1


def health_check(compose: dict[str, Any], name: str, server: Server) -> int:
    """Run the health check of a service on this machine: its program, its files, its address."""
    _, program, *arguments = compose["services"][name]["healthcheck"]["test"]
    assert program == {"jaeger": "/cmd/jaeger/jaeger-linux", "collector": "/otelcol-contrib"}[name]
    arguments = [
        re.sub("file:/etc/[a-z]+", f"file:{CONFIGS}", text).replace("127.0.0.1", server.address) for text in arguments
    ]
    return subprocess.run([server.binary, *arguments], env=server.environ, capture_output=True, check=False).returncode


def test_the_health_checks_need_no_shell_and_tell_a_server_that_is_up_from_one_that_is_not(
    tmp_path: Path, compose: dict[str, Any], jaeger: JaegerServer, collector: CollectorServer
) -> None:
    assert health_check(compose, "jaeger", jaeger) == 0
    assert health_check(compose, "collector", collector) == 0
    assert health_check(compose, "jaeger", JaegerServer(tmp_path)) == 1
    assert health_check(compose, "collector", CollectorServer(tmp_path, "127.0.0.1:9")) == 1


def test_images_are_pinned_to_the_versions_that_are_tested(compose: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}
    assert all(re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?", image) for image in images.values()), images
    built = subprocess.run([binaries() / "otelcol", "--version"], capture_output=True, text=True, check=True).stdout
    assert built.split()[-1] == images["collector"].split(":")[1]
    # Jaeger 2.N is published as module v1.(N+63), since its path has no /v2.
    module = re.search(r"jaeger=v1\.(\d+)\.(\d+)", (CONFIGS / "build.sh").read_text())
    assert module
    assert images["jaeger"] == f"jaegertracing/jaeger:2.{int(module[1]) - 63}.{module[2]}"


def test_ports_are_open_to_this_machine_alone_and_nothing_runs_as_root(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", ())), name
        # Those of Prometheus and Grafana run as nobody and as grafana by themselves.
        assert service.get("user", "").split(":")[0] not in ("0", "root"), name
        assert service.get("user") or name in ("prometheus", "grafana")
        assert service.get("privileged") is None
        if not name.endswith("-volume"):
            assert service["healthcheck"]["test"], name
            assert service["security_opt"] == ["no-new-privileges:true"]
            assert service["cap_drop"] == ["ALL"]


def test_what_is_up_by_default_is_the_collector_and_jaeger_and_it_is_kept(compose: dict[str, Any]) -> None:
    default = {name for name, service in compose["services"].items() if not service.get("profiles")}
    assert default == {"jaeger", "collector", "jaeger-volume", "collector-volume"}
    profiles = {profile for service in compose["services"].values() for profile in service.get("profiles", ())}
    assert profiles == {"metrics", "postgresql", "distributed"}
    for name in ("jaeger", "collector", "prometheus", "grafana", "postgresql", "cassandra-1"):
        assert [volume for volume in compose["services"][name]["volumes"] if volume["type"] == "volume"], name


def test_every_file_that_the_compose_file_mounts_is_there(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            if volume["type"] == "bind":
                assert (ROOT / volume["source"]).exists()
                assert volume["read_only"]


def test_the_collector_takes_out_the_secrets_that_the_library_takes_out() -> None:
    for name in ("redaction", "transform"):
        command = [sys.executable, str(CONFIGS / "make_redaction.py"), name]
        made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert made == (CONFIGS / f"{name}.yaml").read_text(), "run `make docs`"


def test_links_lead_from_a_span_to_its_task_its_session_and_its_commit() -> None:
    configured = json.loads((CONFIGS / "jaeger-ui.json").read_text())
    assert configured["topTagPrefixes"][:2] == [semconv.TASK_ID, semconv.SESSION_ID]
    found = {}
    for pattern in configured["linkPatterns"]:
        value = "3a38c4b4ef1a39c3"
        filled = pattern["url"].replace("#{service.name}", "pipeline").replace(f"#{{{pattern['key']}}}", value)
        assert "#{" not in filled
        query = parse_qs(urlsplit(filled).query)
        if "tags" in query:
            assert json.loads(query["tags"][0]) == {pattern["key"]: value}
            assert query["service"] == ["pipeline"]
        else:
            assert value in unquote(filled)
        found[pattern["key"]] = pattern["text"]
    assert set(found) == {semconv.TASK_ID, semconv.SESSION_ID, semconv.VCS_HEAD_REVISION}


def test_jaeger_sends_no_spans_of_its_own(jaeger: JaegerServer) -> None:
    with urlopen(f"{jaeger.url}/api/v3/services", timeout=10) as answer:
        assert answer.status == 200
    assert ":4317" not in jaeger.log.read_text()


def test_jaeger_serves_the_links_to_its_page(jaeger: JaegerServer) -> None:
    with urlopen(jaeger.url, timeout=10) as answer:
        page = answer.read().decode()
    served = re.search(r"JAEGER_CONFIG = (\{.*\});?", page)
    assert served
    configured = json.loads((CONFIGS / "jaeger-ui.json").read_text())
    assert json.loads(served[1])["linkPatterns"] == configured["linkPatterns"]


def test_jaeger_and_the_collector_start_without_docker_and_stop_together(tmp_path: Path) -> None:
    address = free_address()
    environ = {**os.environ, "JAEGER_HOST": address, "OTELCOL_HOST": address}
    environ["AGENTOS_OTEL_BACKENDS_DIR"] = str(tmp_path)
    command = [str(CONFIGS / "start.sh")]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = [process.stdout.readline() for _ in range(2)]
        assert f"http://{address}:16686" in said[0]
        assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{address}:4318" in said[1]
        assert eventually(lambda: answers(f"http://{address}:13133/") and answers(f"http://{address}:13134/"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not answers(f"http://{address}:13133/")
    assert not answers(f"http://{address}:13134/")


def test_a_port_that_is_taken_is_said_and_ends_both(tmp_path: Path) -> None:
    address = free_address()
    environ = {**os.environ, "JAEGER_HOST": address, "OTELCOL_HOST": address}
    environ["AGENTOS_OTEL_BACKENDS_DIR"] = str(tmp_path)
    with socket.create_server((address, 4318)):
        done = subprocess.run([CONFIGS / "start.sh"], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "address already in use" in done.stderr
    assert not answers(f"http://{address}:13134/")


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
