"""A user's maps are found in the project and in installed packages; a shipped one waits for its host."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentos_otel import guard
from agentos_otel.errors import ConfigurationError
from agentos_otel.instrumentation.discovery import installed_maps, project_maps
from agentos_otel.instrumentation.shipped import ShippedMaps

MAP = 'name = "mine"\n[[point]]\ntarget = "host:work"\nkind = "tool"\n'


def names(start: Path) -> list[str]:
    return [found.name for found in project_maps(start)]


def test_the_nearest_folder_with_a_map_decides_up_to_the_repository(tmp_path: Path) -> None:
    inner = tmp_path / "repository" / "package"
    inner.mkdir(parents=True)
    (tmp_path / "agentos-otel.toml").write_text(MAP.replace("mine", "above the repository"))
    (tmp_path / "repository" / ".git").mkdir()
    assert names(inner) == []
    (tmp_path / "repository" / "agentos-otel.toml").write_text(MAP)
    assert names(inner) == ["mine"]
    (inner / "agentos-otel.toml").write_text(MAP.replace("mine", "nearer"))
    assert names(inner) == ["nearer"]


def test_a_table_of_pyproject_is_a_map_and_its_errors_name_the_line(tmp_path: Path) -> None:
    table = '[project]\nname = "x"\n[tool.agentos_otel]\nname = "table"\n[[tool.agentos_otel.point]]\n'
    file = tmp_path / "pyproject.toml"
    file.write_text(table + 'target = "host:work"\nkind = "tool"\n')
    assert names(tmp_path) == ["table"]
    file.write_text(table + 'target = "host:work"\nkind = "toool"\n')
    with pytest.raises(ConfigurationError, match=r"pyproject\.toml:7: key 'kind': 'toool' is not one of"):
        names(tmp_path)
    file.write_text("[tool]\nagentos_otel = 3  # tool.agentos_otel\n")
    with pytest.raises(ConfigurationError, match=r"tool\.agentos_otel must be a table"):
        names(tmp_path)


@pytest.mark.parametrize("text", ["[tool.other]\n", "not toml [tool.agentos_otel", "", "[tool.agentos_oteller]\n"])
def test_a_pyproject_that_is_not_about_us_is_nobody_s_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert names(tmp_path) == []


def install(site: Path, value: str, group: str = "agentos_otel.maps") -> None:
    info = site / "thing-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\nthing = {value}\n")


def test_an_installed_package_brings_a_map_and_is_not_imported(tmp_path: Path) -> None:
    install(tmp_path, "thing_of_maps.sub")
    folder = tmp_path / "thing_of_maps" / "sub"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (folder / "agentos-otel.toml").write_text(MAP)
    assert [found.name for found in installed_maps([str(tmp_path)])] == ["mine"]
    assert "thing_of_maps" not in sys.modules


def test_an_entry_point_that_leads_nowhere_is_one_line(tmp_path: Path) -> None:
    install(tmp_path, "nowhere")
    with pytest.raises(ConfigurationError, match=r"entry point 'thing' .*: no agentos-otel\.toml in a package"):
        list(installed_maps([str(tmp_path)]))


def test_packages_of_other_groups_and_folders_that_are_gone_bring_none(tmp_path: Path) -> None:
    install(tmp_path, "thing:main", "console_scripts")
    assert list(installed_maps([str(tmp_path), str(tmp_path / "gone")])) == []


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "shipped_host_new").mkdir()
    (tmp_path / "shipped_host_new" / "__init__.py").write_text("")
    maps = tmp_path / "maps"
    maps.mkdir()
    text = MAP.replace("[[point]]", 'packages = ["shipped_host_old", "shipped_host_new"]\n[[point]]', 1)
    (maps / "host.toml").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = list(sys.meta_path)
    yield maps
    sys.meta_path[:] = before
    sys.modules.pop("shipped_host_new", None)


def test_a_shipped_map_is_loaded_once_when_its_host_is_first_imported(host: Path) -> None:
    loaded: list[Path] = []
    ShippedMaps(loaded.append, host).watch()
    assert loaded == []
    importlib.import_module("shipped_host_new")
    with pytest.raises(ImportError):
        importlib.import_module("shipped_host_old")
    assert [path.name for path in loaded] == ["host.toml"]


def test_a_shipped_map_of_a_host_that_is_imported_already_is_loaded_at_once(host: Path) -> None:
    importlib.import_module("shipped_host_new")
    loaded: list[Path] = []
    ShippedMaps(loaded.append, host).watch()
    assert [path.name for path in loaded] == ["host.toml"]


def test_a_map_that_cannot_be_loaded_does_not_break_the_host_s_import(host: Path) -> None:
    def broken(path: Path) -> None:
        raise ConfigurationError(str(path))

    guard.raise_failures = False
    ShippedMaps(broken, host).watch()
    assert importlib.import_module("shipped_host_new").__name__ == "shipped_host_new"
