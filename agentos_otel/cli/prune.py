"""`prune`: removes the oldest journals, by age and by size."""

from __future__ import annotations

import time
from dataclasses import asdict

import click

from agentos_otel import settings
from agentos_otel.cli.format import size as size_of
from agentos_otel.cli.main import json_option, print_json, workspace


@click.command()
@click.option("--older-than", metavar="AGE", help="Remove what ended longer ago, such as 30d (AGENTOS_OTEL_MAX_AGE).")
@click.option("--max-size", metavar="SIZE", help="Go down to this size, such as 5G (AGENTOS_OTEL_MAX_SIZE).")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
def prune(older_than: str | None, max_size: str | None, dry_run: bool, as_json: bool) -> None:
    """Remove the oldest journals whole, a day at a time, and the rows of tasks of which nothing is left.

    What is not indexed, not forwarded, or belongs to a task that is still open stays.
    """
    from agentos_otel.store import day_files, pruning

    found = settings.read()
    age = settings.age_of(older_than) if older_than else found.max_age
    size = settings.size_of(max_size) if max_size else found.max_size
    before_ns = None if age is None else time.time_ns() - age * 10**9
    with workspace() as space:
        day_files.merge(space.index, space.is_forwarded, at_least=1)
        done = pruning.prune(space.index, space.store, before_ns, size, dry_run=dry_run)
        pruning.tell_full(space.index, found.max_size)
    if as_json:
        print_json({"schema_version": 1, "dry_run": dry_run, **asdict(done)})
        return
    verb = "would remove" if dry_run else "removed"
    for path in done.files:
        click.echo(f"{verb} {path}")
    for path in done.kept:
        click.echo(f"kept {path}: it holds records of a task that is open, or another process is at it")
    rows = "" if dry_run else f", {done.tasks} tasks"
    click.echo(f"{verb} {len(done.files)} files, {size_of(done.bytes)}{rows}; {size_of(done.size)} are left")
