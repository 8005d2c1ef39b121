"""What the variables of the OTLP exporters mean; whatever they hold, it is a destination or one clear error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_otel.errors import ConfigurationError
from agentos_otel.export.destination import Destination, from_environ
from agentos_otel.settings import read

P, T = "OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"
HERE = {f"{P}ENDPOINT": "http://here:4318"}


def destination(**variables: str) -> Destination:
    found = read({f"{P}{name}": value for name, value in variables.items()}).destination()
    assert found is not None
    return found


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {f"{P}ENDPOINT": ""},
        {f"{P}ENDPOINT": " ", f"{T}ENDPOINT": ""},
        {f"{P}HEADERS": "a=b"},
        {**HERE, "OTEL_TRACES_EXPORTER": "none"},
        {**HERE, "OTEL_TRACES_EXPORTER": "console, zipkin"},
    ],
)
def test_without_an_endpoint_or_with_another_exporter_nothing_is_sent(environ: dict[str, str]) -> None:
    found = read(environ)
    assert not found.otlp
    assert found.destination() is None


@pytest.mark.parametrize("chosen", ["otlp", "console,otlp", "OTLP_proto_http", ""])
def test_the_exporter_may_be_named(chosen: str) -> None:
    assert read({**HERE, "OTEL_TRACES_EXPORTER": chosen}).destination() is not None


def test_the_defaults_are_those_of_the_specification() -> None:
    assert destination(ENDPOINT="http://here:4318") == Destination(
        "http/protobuf", "http://here:4318/v1/traces", {}, "none", 10.0, insecure=True
    )


@pytest.mark.parametrize(
    ("variables", "endpoint", "insecure"),
    [
        ({"ENDPOINT": "http://here:4317"}, "here:4317", True),
        ({"ENDPOINT": "https://here:4317/path"}, "here:4317", False),
        ({"ENDPOINT": "https://here:4317", "INSECURE": "true"}, "here:4317", False),
        ({"ENDPOINT": "http://here:4317", "INSECURE": "false"}, "here:4317", True),
        ({"ENDPOINT": "here:4317"}, "here:4317", False),
        ({"ENDPOINT": "here:4317", "INSECURE": "True"}, "here:4317", True),
        ({"ENDPOINT": "here:4317", "INSECURE": "true", "TRACES_INSECURE": "false"}, "here:4317", False),
    ],
)
def test_with_grpc_the_scheme_decides_on_tls_and_without_one_a_variable(
    variables: dict[str, str], endpoint: str, insecure: bool
) -> None:
    found = destination(PROTOCOL="grpc", **variables)
    assert (found.endpoint, found.insecure) == (endpoint, insecure)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENDPOINT", "here:4318"),
        ("ENDPOINT", "ftp://here"),
        ("ENDPOINT", "http://"),
        ("ENDPOINT", "http://here:port"),
        ("ENDPOINT", "http://here:99999"),
        ("PROTOCOL", "http/json"),
        ("COMPRESSION", "zstd"),
        ("TIMEOUT", "soon"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "-1"),
        ("TIMEOUT", "nan"),
        ("TIMEOUT", "inf"),
        ("HEADERS", "no-equals-sign"),
        ("HEADERS", "a b=c"),
        ("HEADERS", "=value"),
        ("HEADERS", "name=line%0Abreak"),
        ("CERTIFICATE", "/no/such/file.pem"),
        ("CLIENT_KEY", "/no/such/file.pem"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"OTEL_EXPORTER_OTLP_{name}"):
        destination(**{"ENDPOINT": "http://here", name: value})


def test_a_variable_of_the_signal_is_named_where_it_is_the_wrong_one() -> None:
    with pytest.raises(ConfigurationError, match=f"{T}TIMEOUT"):
        destination(ENDPOINT="http://here", TIMEOUT="3", TRACES_TIMEOUT="x")


def test_secrets_are_in_no_error_and_in_no_representation() -> None:
    with pytest.raises(ConfigurationError) as raised:
        destination(ENDPOINT="http://here", HEADERS="authorization=s3cret\x01")
    assert "s3cret" not in str(raised.value)
    with pytest.raises(ConfigurationError) as raised:
        destination(ENDPOINT="ftp://me:s3cret@here")
    assert "s3cret" not in str(raised.value)
    environ = {**HERE, f"{P}HEADERS": "authorization=s3cret"}
    assert "s3cret" not in repr(read(environ))
    assert "s3cret" not in repr(read(environ).destination())


def test_files_are_kept_as_they_are_named(tmp_path: Path) -> None:
    for name in ("ca", "key", "chain"):
        (tmp_path / name).write_text("x")
    found = destination(
        ENDPOINT="https://here",
        CERTIFICATE=f"{tmp_path}/ca",
        TRACES_CLIENT_KEY=f"{tmp_path}/key",
        CLIENT_CERTIFICATE=f"{tmp_path}/chain",
    )
    assert (found.certificate, found.client_key, found.client_certificate) == tuple(
        f"{tmp_path}/{name}" for name in ("ca", "key", "chain")
    )


@pytest.mark.parametrize(
    ("no_proxy", "used"),
    [
        ("", True),
        ("*", False),
        ("here", False),
        (".here", False),
        ("ere", True),
        ("a, HERE ,b", False),
        ("x.here", True),
    ],
)
def test_a_proxy_has_exceptions(no_proxy: str, used: bool) -> None:
    proxies = {"http_proxy": "proxy:3128", "HTTPS_PROXY": "http://other", "NO_PROXY": no_proxy}
    found = read({**HERE, **proxies}).destination()
    assert found is not None
    assert found.proxy == ("http://proxy:3128" if used else "")


NAMES = st.sampled_from(
    [p + n for p in (P, T) for n in ("ENDPOINT", "HEADERS", "COMPRESSION", "TIMEOUT", "PROTOCOL", "INSECURE")]
)
VALUES = st.one_of(
    st.text(max_size=30),
    st.from_regex(r"https?://[a-z0-9:@\[\]./?%]{0,20}", fullmatch=True),
    st.sampled_from(["grpc", "http/protobuf", "gzip", "1", "true", "a=b,c=d"]),
)


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_text_is_a_destination_or_one_clear_error(environ: dict[str, str]) -> None:
    try:
        found = from_environ(environ)
    except ConfigurationError:
        return
    assert found is None or found.timeout > 0
