"""`map check FILE`: does a map fit the host that is installed here?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from agentos_otel.cli.main import json_option, print_json


@click.group("map")
def map_() -> None:
    """Maps of points."""


@map_.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--path", "folders", multiple=True, type=click.Path(file_okay=False, exists=True),
              help="A folder to import the host from; may come again. Default: the current one.")  # fmt: skip
@json_option
def check(file: Path, folders: tuple[str, ...], as_json: bool) -> None:
    """Resolve the map in FILE against the host: what it finds, misses and would wrap.

    Imports the host's modules. Exits 1 where something is missing or a path leads nowhere, 2 where FILE is no map.
    """
    from agentos_otel.instrumentation import map_check
    from agentos_otel.instrumentation.point_map import load_map

    found_map = load_map(file)
    sys.path[:0] = folders or ["."]
    findings = map_check.check(found_map)
    rings = map_check.cycles(found_map)
    problems = rings + [f"{item.target}: {said}" for item in findings for said in item.problems]
    if as_json:
        points = [{"target": item.target, "line": item.point.line, "kind": item.point.point.kind,
                   "name": item.point.point.name, "state": item.state, "problems": item.problems}
                  for item in findings]  # fmt: skip
        print_json({"schema_version": 1, "map": found_map.name, "points": points, "problems": problems})
    else:
        for item in findings:
            wraps = "missing" if item.state == "missing" else f"{item.state} {item.point.point.kind}"
            click.echo(f"{wraps:<16} {item.target}")
        for said in problems:
            click.echo(f"{file}: {said}", err=True)
        missing = sum(item.state == "missing" for item in findings)
        click.echo(f"{len(findings) - missing} found, {missing} missing, {len(problems)} problems")
    if problems:
        raise click.exceptions.Exit(1)
