"""The command that builds an intent from a request in a file."""

import json
from pathlib import Path

import click

from ..core.intent_builder.builder import IntentBuilder


class ContentRegistry:
    def __init__(self, db_path=None):
        raise FileNotFoundError("no content is published")


@click.group()
def builder():
    """Intents."""


@builder.command()
@click.option("--input", required=True)
@click.option("--out", default="outputs/builder/")
@click.option("--policy", default="semi_auto")
@click.option("--db")
def run(input, out, policy, db):
    request = json.loads(Path(input).read_text())
    try:
        output = IntentBuilder(ContentRegistry()).build_intent(request, policy)
    except Exception as error:
        click.echo(f"Failed to build intent: {error}", err=True)
        return 1
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{request['id']}.output.json").write_text(json.dumps(output, indent=2))
    return 0
