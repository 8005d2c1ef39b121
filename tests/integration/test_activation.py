"""All roads into tracing lead to one activation, whatever the order; switched off, none does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from contextlib import closing
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from agentos_otel import bootstrap
from agentos_otel.query.document import document
from agentos_otel.settings import Settings

MAP = """
name = "host"
[[point]]
target = "road_host.core:Engine.run"
kind = "stage"
name = "work"
[[point]]
target = "road_host.core:function"
kind = "tool"
[[point]]
target = "road_host.core:gone"
kind = "tool"
"""
HOST = """
class Engine:
    def run(self): return function()
def function(): return 41
"""


class Road:
    """A host with a map in its folder, and what is seen of a program that uses it."""

    def __init__(self, path: Path) -> None:
        self.path, self.state = path, path / "state"
        (path / "road_host").mkdir()
        (path / "road_host" / "__init__.py").write_text("")
        (path / "road_host" / "core.py").write_text(HOST)
        (path / "agentos-otel.toml").write_text(MAP)

    def run(self, program: str, *before: str, **environ: str) -> str:
        (self.path / "program.py").write_text(textwrap.dedent(program))
        both = {
            "PATH": os.environ["PATH"], "HOME": str(self.path), "AGENTOS_OTEL_STATE_DIR": str(self.state), **environ,
        }  # fmt: skip
        done = subprocess.run(
            [*(before or (sys.executable,)), "program.py"], cwd=self.path, env=both, capture_output=True, text=True,
            check=False, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def documents(self) -> list[dict[str, Any]]:
        if not self.state.exists():
            return []
        with closing(bootstrap.open_workspace(Settings(self.state, f"sqlite:///{self.state / 'tasks.db'}"))) as space:
            space.refresh()
            rows = space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=100)
            return [document(space, row["task_id"]) for row in rows]

    def names(self) -> list[str]:
        return sorted(span["name"] for found in self.documents() for span in found["spans"])


@pytest.fixture
def road(tmp_path: Path) -> Road:
    return Road(tmp_path)


WORK = "from road_host.core import Engine\nprint(Engine().run())\n"
SPANS = ["execute_tool function", "stage work", "task work"]
ROADS = {
    "auto first": "import agentos_otel.auto\n" + WORK,
    "auto twice": "import agentos_otel.auto\nfrom agentos_otel import auto\nauto.activate()\n" + WORK,
    "configure": "import agentos_otel\nagentos_otel.configure()\n" + WORK,
    "instrumentor": (
        "from importlib.metadata import entry_points\n"
        "(entry,) = entry_points(group='opentelemetry_instrumentor', name='agentos')\n"
        "entry.load()().instrument(skip_dep_check=True)\n" + WORK
    ),
    "wrapt's groups": "import wrapt\nwrapt.discover_post_import_hooks('agentos_otel')\n" + WORK,
    "late": "import road_host.core\nimport agentos_otel.auto\n" + WORK,
}


def spans_of_an_open_task(names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith("task ")]


@pytest.mark.parametrize("way", ROADS)
def test_each_road_gives_the_same_spans(road: Road, way: str) -> None:
    assert road.run(ROADS[way]) == "41"
    assert spans_of_an_open_task(road.names()) == ["execute_tool function", "stage work"]


@pytest.mark.parametrize("arguments", [(), ("--map", "agentos-otel.toml")])
def test_run_activates_a_command_and_its_children(road: Road, arguments: tuple[str, ...]) -> None:
    child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {WORK!r}], check=True)\n"
    before = (sys.executable, "-m", "agentos_otel", "run", "--quiet", *arguments, "--", sys.executable)
    assert road.run(child, *before) == "41"
    (found,) = road.documents()
    assert found["task"]["status"] == "completed"
    assert spans_of_an_open_task(road.names()) == ["execute_tool function", "stage work"]


@pytest.mark.parametrize("file", ["agentos-otel.toml", "pyproject.toml"])
def test_a_child_in_another_folder_has_the_project_s_map_too(road: Road, tmp_path: Path, file: str) -> None:
    if file == "pyproject.toml":
        (road.path / "agentos-otel.toml").unlink()
        table = MAP.replace("[[point]]", "[[tool.agentos_otel.point]]").replace('\nname = "host"', "", 1)
        (road.path / file).write_text(f'[tool.agentos_otel]\nname = "host"\n{table}')
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / ".git").mkdir(parents=True)
    (elsewhere / "child.py").write_text(f"import sys\nsys.path.insert(0, {str(road.path)!r})\n{WORK}")
    child = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, 'child.py'], cwd={str(elsewhere)!r}, check=True)\n"
    )
    before = (sys.executable, "-m", "agentos_otel", "run", "--quiet", "--", sys.executable)
    assert road.run(child, *before) == "41"
    assert spans_of_an_open_task(road.names()) == ["execute_tool function", "stage work"]


def test_opentelemetry_s_own_launcher_activates_us(road: Road) -> None:
    launcher = Path(sys.executable).with_name("opentelemetry-instrument")
    quiet = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    assert road.run(WORK, str(launcher), sys.executable, **quiet) == "41"
    assert spans_of_an_open_task(road.names()) == ["execute_tool function", "stage work"]


BOOTSTRAP = {"AUTOWRAPT_BOOTSTRAP": "agentos_otel"}


def test_autowrapt_activates_us_in_an_interpreter_that_it_is_installed_for(road: Road) -> None:
    assert road.run(WORK, **BOOTSTRAP) == "41"
    assert spans_of_an_open_task(road.names()) == ["execute_tool function", "stage work"]


def test_autowrapt_and_opentelemetry_s_launcher_together_activate_us_once(road: Road) -> None:
    launcher = Path(sys.executable).with_name("opentelemetry-instrument")
    quiet = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    assert road.run(WORK, str(launcher), sys.executable, **BOOTSTRAP, **quiet) == "41"
    assert spans_of_an_open_task(road.names()) == ["execute_tool function", "stage work"]


def test_autowrapt_leaves_us_alone_where_it_is_not_asked_or_we_are_switched_off(road: Road) -> None:
    assert road.run(WORK) == road.run(WORK, **BOOTSTRAP, AGENTOS_OTEL_DISABLED="1") == "41"
    assert not road.state.exists()


@pytest.mark.parametrize(
    "variable",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"AGENTOS_OTEL_DISABLED": "1"},
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask, agentos"},
    ],
    ids=lambda value: next(iter(value)),
)
@pytest.mark.parametrize("way", ["auto first", "configure", "wrapt's groups", "late"])
def test_switched_off_nothing_is_wrapped_and_nothing_written(road: Road, way: str, variable: dict[str, str]) -> None:
    program = ROADS[way] + "print(hasattr(Engine.run, '__agentos_otel_point__'))\n"
    assert road.run(program, **variable) == "41\nFalse"
    assert not road.state.exists()


def test_late_activation_wraps_what_it_can_and_names_the_rest(road: Road) -> None:
    said = road.run(
        """
        import logging
        from road_host.core import Engine, function as mine
        logging.basicConfig(format="%(name)s: %(message)s")
        import sys; logging.getLogger().handlers[0].setStream(sys.stdout)
        import agentos_otel.auto
        mine()
        Engine().run()
        """
    )
    assert "road_host.core:function was imported before tracing was activated" in said
    assert "not traced where it is called as __main__.mine" in said
    assert spans_of_an_open_task(road.names()) == ["execute_tool function", "stage work"]


def test_a_point_that_the_host_lacks_is_harmless_and_doctor_names_it(road: Road) -> None:
    road.run(ROADS["auto first"])
    done = subprocess.run(
        [sys.executable, "-m", "agentos_otel", "doctor", "--json"], cwd=road.path, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(road.path), "AGENTOS_OTEL_STATE_DIR": str(road.state)},
        check=False, timeout=100,
    )  # fmt: skip
    (maps,) = (item for item in json.loads(done.stdout)["checks"] if item["check"] == "maps of points")
    assert maps["ok"]
    assert "road_host.core:gone (missing)" in maps["detail"]


def test_a_wrong_map_of_the_project_is_a_line_for_run_and_a_warning_inside_the_host(road: Road) -> None:
    (road.path / "agentos-otel.toml").write_text(MAP.replace("stage", "stag", 1))
    assert road.run(ROADS["auto first"]) == "41"
    command = [sys.executable, "-m", "agentos_otel", "run", "--", sys.executable, "-c", "print(1)"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(road.path), "AGENTOS_OTEL_STATE_DIR": str(road.state)}
    done = subprocess.run(command, cwd=road.path, env=environ, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "agentos-otel.toml:5: key 'kind': 'stag' is not one of" in done.stderr


def test_our_entry_points_are_those_that_are_documented() -> None:
    found = {(entry.group, entry.name) for group in ("opentelemetry_instrumentor", "agentos_otel")
             for entry in entry_points(group=group) if entry.value.startswith("agentos_otel.")}  # fmt: skip
    assert found == {("opentelemetry_instrumentor", "agentos"), ("agentos_otel", "site")}
