"""The command that coordinates an intent and writes what came of it; no command line of the host's has it."""

import json
from pathlib import Path

import click

from ..core.coordinator.engine import CoordinatorEngine


@click.group()
def coordinator():
    """Coordination."""


@coordinator.command()
@click.option("--intent", required=True)
@click.option("--policy", default="semi_auto")
@click.option("--output", default="./output")
@click.option("--dry-run", is_flag=True)
def coordinate(intent, policy, output, dry_run):
    run = CoordinatorEngine(None, None).coordinate(json.loads(Path(intent).read_text()), {"mode": policy}, {})
    if not dry_run and run.tape:
        _write_json(Path(output) / "coordinator_run_tape.json", run.tape)
    return 0


def _write_json(path, data):
    path.write_text(json.dumps(data, indent=2))
