"""Documentation fails the build when it lies: every block runs, every command and setting is real and described."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentos_otel.instrumentation.point_map import parse_map

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    (page, number, language, body)
    for page in PAGES
    for number, (language, body) in enumerate(re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.M | re.S))
]


def run(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AGENTOS_OTEL_STATE_DIR": str(tmp_path / "state")}
    return subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_blocks_of_a_page_run_in_order(tmp_path: Path, page: Path) -> None:
    for where, number, language, body in BLOCKS:
        if where == page and language == "python":
            block = tmp_path / f"block{number}.py"
            block.write_text(body)
            done = run(tmp_path, sys.executable, "-W", "error", str(block))
            assert done.returncode == 0, done.stderr


def test_the_maps_in_the_pages_are_valid() -> None:
    maps = [body for _, _, language, body in BLOCKS if language == "toml"]
    assert maps
    assert all(parse_map(body, "page").points for body in maps)


def test_the_commands_of_the_first_screen_work_after_its_code(tmp_path: Path) -> None:
    body = next(body for page, _, language, body in BLOCKS if page.name == "README.md" and language == "python")
    (tmp_path / "code.py").write_text(body)
    assert run(tmp_path, sys.executable, str(tmp_path / "code.py")).stdout == "intent_7f3a9c21\n"
    commands = re.findall(r"^    agentos-otel ([^#\n]+)", (ROOT / "README.md").read_text(), re.M)
    assert len(commands) == 3
    for command in commands:
        done = run(tmp_path, sys.executable, "-m", "agentos_otel", *command.split())
        assert done.returncode == 0, done.stderr
        assert "rename" in done.stdout or "intent" in done.stdout


def test_the_make_targets_that_the_readme_names_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"^    make ([a-z]+)", (ROOT / "README.md").read_text(), re.M)) <= targets


def test_every_variable_of_ours_that_is_read_is_described() -> None:
    read = set(re.findall(r"environ[^\n]*semconv\.(ENV_[A-Z_]+)", (ROOT / "agentos_otel" / "settings.py").read_text()))
    names = {f"AGENTOS_OTEL_{name.removeprefix('ENV_')}" for name in read}
    described = (ROOT / "docs" / "settings.md").read_text()
    assert names
    assert not [name for name in names if f"`{name}`" not in described]


def test_every_link_between_the_pages_leads_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_reference_is_what_the_docstrings_say() -> None:
    made = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make_reference.py")], capture_output=True, text=True, check=True
    )
    assert made.stdout == (ROOT / "docs" / "reference.md").read_text(), "run `make docs`"
