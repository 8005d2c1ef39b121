"""Activation on a host like AgentOS: before it and after it, in its threads, and where a point of the map is gone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.agentos.chain import Chain
from tests.agentos.hosts import Host

pytestmark = [pytest.mark.agentos, pytest.mark.timeout(300)]

DRY = """
run = run_dry_execution({"id": "intent_0123456789ab"}, {"run_id": "coord_run_0123456789ab"})
"""
ORDERS = {
    "before": "import agentos_otel.auto\nfrom octopusos.core.executor_dry import run_dry_execution\n" + DRY,
    "twice": (
        "import agentos_otel.auto\nagentos_otel.auto.activate()\n"
        "from octopusos.core.executor_dry import run_dry_execution\nagentos_otel.auto.activate()\n" + DRY
    ),
    "after": "from octopusos.core.executor_dry import run_dry_execution\nimport agentos_otel.auto\n" + DRY,
}


@pytest.fixture
def chain(stand_in_head: Host, model_url: str, tmp_path: Path) -> Chain:
    folder = tmp_path / "run"
    folder.mkdir()
    return Chain(stand_in_head, folder, model_url)


@pytest.mark.parametrize("launcher", [(), ("opentelemetry-instrument",)], ids=["alone", "with-launcher"])
def test_autowrapt_activates_the_host_s_map_without_a_line_of_code(chain: Chain, launcher: tuple[str, ...]) -> None:
    before = [str(Path(sys.executable).with_name(name)) for name in launcher]
    program = "from octopusos.core.executor_dry import run_dry_execution\n" + DRY
    quiet = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    chain.run([*before, sys.executable, "-c", program], AUTOWRAPT_BOOTSTRAP="agentos_otel", **quiet)
    (found,) = chain.documents()
    names = [span["name"] for span in found["spans"]]
    assert names.count("stage dry_execution") == names.count("execute_tool review_pack_stub") == 1


@pytest.mark.parametrize("order", ORDERS)
def test_activation_before_twice_and_after_the_host_gives_the_same_spans(chain: Chain, order: str) -> None:
    chain.run([sys.executable, "-c", ORDERS[order]])
    (found,) = chain.documents()
    names = sorted(span["name"] for span in found["spans"] if span["name"] != found["attempts"][0]["name"])
    assert names == ["execute_tool review_pack_stub", "stage dry_execution"]


def test_what_the_writer_s_thread_does_belongs_to_the_span_that_called(chain: Chain) -> None:
    chain.step("init")
    program = """
import logging, threading
import agentos_otel.auto
from agentos_otel import stage, tool
from octopusos.store import get_writer

@tool
def in_the_writer():
    return threading.current_thread().name

with stage("caller"):
    said = get_writer().submit(lambda connection: in_the_writer())
print(said)
"""
    assert chain.run([sys.executable, "-c", program]).strip() == "SQLiteWriter"
    (found,) = chain.documents()
    caller = next(span for span in found["spans"] if span["name"] == "stage caller")
    written = next(span for span in found["spans"] if span["name"] == "execute_tool in_the_writer")
    assert written["parent_span_id"] == caller["span_id"]


def test_a_point_that_this_host_has_renamed_is_passed_over_and_named_by_doctor(chain: Chain) -> None:
    file = chain.host.folder / "octopusos" / "core" / "executor_dry" / "review_pack_stub.py"
    file.write_text(file.read_text().replace("def generate(", "def generate_all("))
    caller = file.with_name("dry_executor.py")
    caller.write_text(caller.read_text().replace(".generate()", ".generate_all()"))
    chain.run([sys.executable, "-c", ORDERS["before"]])
    (found,) = chain.documents()
    assert "stage dry_execution" in [span["name"] for span in found["spans"]]
    said = json.loads(chain.run([sys.executable, "-m", "agentos_otel", "doctor", "--json"]))
    (maps,) = (item for item in said["checks"] if item["check"] == "maps of points")
    target = "octopusos.core.executor_dry.review_pack_stub:ReviewPackStubGenerator.generate"
    assert f"{target} (missing)" in maps["detail"]


def test_the_map_fits_the_stand_in(chain: Chain) -> None:
    from agentos_otel.instrumentation.shipped import MAPS

    said = chain.run([sys.executable, "-m", "agentos_otel", "map", "check", str(MAPS / "agentos.toml")])
    assert said.splitlines()[-1].endswith("found, 0 missing, 0 problems")
