"""The command that plans an intent without executing it."""

import json
from pathlib import Path

import click

from ..core.executor_dry import run_dry_execution


@click.group(name="dry-run")
def dry_run_group():
    """Dry runs."""


@dry_run_group.command(name="plan")
@click.option("--intent", required=True, type=click.Path(exists=True))
@click.option("--coordinator", type=click.Path(exists=True))
@click.option("--out", required=True, type=click.Path())
@click.option("--db", type=click.Path())
def plan_cmd(intent, coordinator, out, db):
    run = json.loads(Path(coordinator).read_text()) if coordinator else None
    result = run_dry_execution(json.loads(Path(intent).read_text()), run)
    (Path(out) / f"{result['result_id']}.json").write_text(json.dumps(result, indent=2))
