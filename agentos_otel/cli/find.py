"""`find`: which task has an id."""

from __future__ import annotations

import click

from agentos_otel.cli.main import json_option, print_json, workspace
from agentos_otel.errors import NotFoundError


@click.command()
@click.argument("identifier")
@json_option
def find(identifier: str, as_json: bool) -> None:
    """Find the tasks of IDENTIFIER: any id, commit, trace or span, 6 characters of one, or a line (FILE:LINE)."""
    with workspace() as space:
        hits = space.find(identifier)
        if not hits:
            raise NotFoundError(f"no task has the id {identifier!r}: `agentos-otel task list` shows those there are")
        names = {hit["task_id"]: space.store.task(hit["task_id"]) for hit in hits}
    if as_json:
        print_json({"schema_version": 1, "hits": hits})
        return
    for hit in sorted(hits, key=lambda hit: (hit["task_id"], hit["what"], hit["value"])):
        row = names[hit["task_id"]]
        click.echo(f"{hit['task_id']}  {row['status']:<10} {hit['what']} {hit['value']}  {row['name']}")
