"""`session list | show`."""

from __future__ import annotations

import click

from agentos_otel.cli.main import json_option, print_json, workspace
from agentos_otel.cli.tasks import print_tasks
from agentos_otel.errors import NotFoundError


@click.group()
def session() -> None:
    """Sessions: the tasks of one conversation."""


@session.command("list")
@click.option("--count", default=20, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def list_(count: int, as_json: bool) -> None:
    """List sessions, newest first."""
    with workspace() as space:
        rows = space.store.rows("list_sessions", count=count)
    if as_json:
        print_json({"schema_version": 1, "sessions": rows})
        return
    for row in rows:
        click.echo(f"{row['session_id']}  {row['tasks']} tasks")
    if not rows:
        click.echo("no sessions")


@session.command()
@click.argument("session_id")
@json_option
def show(session_id: str, as_json: bool) -> None:
    """Show the tasks of a session, turn by turn."""
    from agentos_otel.query.document import task_part

    with workspace() as space:
        rows = [task_part(row) for row in space.store.rows("session_tasks", session_id=session_id)]
        known = rows or space.store.rows("get_session", session_id=session_id)
    if not known:
        raise NotFoundError(f"no session {session_id!r}: `agentos-otel session list` shows those there are")
    if as_json:
        print_json({"schema_version": 1, "session_id": session_id, "tasks": rows})
    else:
        print_tasks(rows)
