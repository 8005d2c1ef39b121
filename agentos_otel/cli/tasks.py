"""`task list | show | artifacts | logs | close | split | erase`."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import Any

import click

from agentos_otel.cli.main import console, json_option, print_json, workspace
from agentos_otel.model import ENDED_STATUSES, STATUSES
from agentos_otel.query import sources
from agentos_otel.query.sources import SOURCES


@click.group()
def task() -> None:
    """Tasks and their runs."""


@task.command("list")
@click.option("--status", type=click.Choice(STATUSES), default=None)
@click.option("--session", "session_id", default="", help="Only the tasks of this session.")
@click.option("--count", default=20, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def list_(status: str | None, session_id: str, count: int, as_json: bool) -> None:
    """List tasks, newest first."""
    from agentos_otel.query.document import task_part

    with workspace() as space:
        filters = {"status": status or "", "session_id": session_id, "phase": "", "since": 0, "count": count}
        rows = [task_part(row) for row in space.store.rows("list_tasks", **filters)]
    if as_json:
        print_json({"schema_version": 1, "tasks": rows})
        return
    print_tasks(rows)


def print_tasks(rows: list[dict[str, Any]]) -> None:
    """Print one line a task."""
    for row in rows:
        when = datetime.fromtimestamp(row["created_ns"] / 1e9, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        commit = (row["commit_hash"] or "")[:10]
        click.echo(f"{row['task_id']}  {when}  {row['status']:<10} {row['phase']:<14} {commit:<10}  {row['name']}")
    if not rows:
        click.echo("no tasks")


@task.command()
@click.argument("identifier")
@click.option("--waterfall", is_flag=True, help="Show durations as bars.")
@click.option("--flow", is_flag=True, help="Show the phases and the ids that go from one to the next.")
@click.option("--follow", is_flag=True, help="Show again whenever the task has grown, until it ends.")
@click.option("--from", "source", type=click.Choice(SOURCES), default="auto", show_default=True,
              help="The journals here, Jaeger, or here and from Jaeger what does not lie here.")  # fmt: skip
@json_option
def show(identifier: str, waterfall: bool, flow: bool, follow: bool, source: sources.Source, as_json: bool) -> None:
    """Show the whole run of the task that IDENTIFIER (any id, 6 characters of one, or FILE:LINE) leads to."""
    with workspace() as space:
        found, note = sources.read(space, identifier, source)
        link = _link(space.jaeger_url, found["task"]["trace_id"])
        if note:
            click.echo(f"agentos-otel: {note}", err=True)
        _show(found, link, waterfall, flow, as_json)
        sys.stdout.flush()  # who follows through a pipe waits for it
        while follow and found["task"]["ended_ns"] is None:
            time.sleep(0.5)
            space.refresh()
            grown, _ = sources.read(space, found["task"]["task_id"], source)
            if grown != found:
                click.echo("")
                _show(grown, link, waterfall, flow, as_json)
                sys.stdout.flush()
            found = grown


def _link(url: str, trace_id: str | None) -> str:
    if not url:
        return ""
    from agentos_otel.query.jaeger_api import trace_link  # here: an HTTP client is 17 ms of import

    return trace_link(url, trace_id)


def _show(found: dict[str, Any], link: str, waterfall: bool, flow: bool, as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif waterfall:
        from agentos_otel.cli.waterfall import print_waterfall

        print_waterfall(console(), found, now_ns=time.time_ns())
    elif flow:
        from agentos_otel.cli.flow import print_flow

        print_flow(console(), found)
    else:
        from agentos_otel.cli.run_view import print_run

        print_run(console(), found, link)


@task.command()
@click.argument("identifier")
@json_option
def artifacts(identifier: str, as_json: bool) -> None:
    """List what the stages of a task left: path, size, and whether it is there unchanged."""
    from agentos_otel.query.document import artifact_part

    with workspace() as space:
        rows = [artifact_part(row) for row in space.store.rows("list_artifacts", task_id=space.resolve(identifier))]
    if as_json:
        print_json({"schema_version": 1, "artifacts": rows})
        return
    for row in rows:
        click.echo(f"{row['stage']:<16} {row['state']:<8} {row['size'] or 0:>9}  {row['path']}")
    if not rows:
        click.echo("no artifacts")


@task.command()
@click.argument("identifier")
@json_option
def logs(identifier: str, as_json: bool) -> None:
    """Print the log records that were made inside a task."""
    from agentos_otel.query.document import document

    with workspace() as space:
        found = document(space, space.resolve(identifier))
    if as_json:
        print_json({"schema_version": 1, "logs": found["logs"]})
        return
    names = {span["span_id"]: span["name"] for span in found["spans"]}
    for log in found["logs"]:
        when = datetime.fromtimestamp(log["time_ns"] / 1e9, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
        click.echo(f"{when} {log['severity']:<8} {names.get(log['span_id'], '')}: {log['body']}")
    if not found["logs"]:
        click.echo("no log records")


@task.command()
@click.argument("identifier")
@click.option("--status", type=click.Choice(ENDED_STATUSES), default="completed", show_default=True)
@json_option
def close(identifier: str, status: str, as_json: bool) -> None:
    """End a task that waits, and write its root span; a written root is final."""
    from agentos_otel.query.closing import close as end

    with workspace() as space:
        task_id = space.resolve(identifier)
        end(space, task_id, status)
    if as_json:
        print_json({"schema_version": 1, "task_id": task_id, "status": status})
        return
    click.echo(f"task {task_id} {status}")


@task.command()
@click.argument("identifier")
@json_option
def split(identifier: str, as_json: bool) -> None:
    """Undo the merge of a task: IDENTIFIER is the merged one's own id, which `task show` names."""
    from agentos_otel.query import merging

    with workspace() as space:
        task_id = merging.split(space, identifier)
    if as_json:
        print_json({"schema_version": 1, "task_id": task_id})
        return
    click.echo(f"task {task_id} stands for itself again")


@task.command()
@click.argument("identifier")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def erase(identifier: str, yes: bool, as_json: bool) -> None:
    """Erase a task's spans, logs and rows here; says where copies remain."""
    from agentos_otel.query.erasing import erase as wipe

    with workspace() as space:
        task_id = space.resolve(identifier)
        if not yes:
            click.confirm(f"erase task {task_id} for good?", abort=True, err=as_json)
        left = wipe(space, task_id)
    if as_json:
        print_json({"schema_version": 1, "task_id": task_id, **left})
        return
    click.echo(f"task {task_id} erased: {left['records']} records")
    for place in left["copies"]:
        click.echo(f"a copy remains: {place}")
