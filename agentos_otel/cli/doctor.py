"""`doctor`: what is set, what works, what was lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any

import click

from agentos_otel import instrumenting, settings
from agentos_otel.cli.main import json_option, print_json, workspace
from agentos_otel.errors import AgentosOtelError
from agentos_otel.export import positions
from agentos_otel.export.causes import explained
from agentos_otel.export.journal_files import JournalFiles


@click.command()
@click.option("--rebuild", is_flag=True, help="First build index and task rows anew from the journals.")
@json_option
def doctor(rebuild: bool, as_json: bool) -> None:
    """Check settings, stores, maps and git; exits 1 where something needs attention."""
    checks: list[dict[str, Any]] = []

    def check(name: str, ok: bool, detail: str) -> None:
        checks.append({"check": name, "ok": ok, "detail": detail})

    found = settings.read()
    check("python", sys.version_info >= (3, 11), sys.version.split()[0])
    check("tracing", not found.disabled, "off by a variable" if found.disabled else "on")
    check("state directory", *_writable(found))
    try:
        instrumenting.maps_of(found)
        seen = instrumenting.points_seen(found.state_dir)
        passed = ", ".join(f"{target} ({state})" for target, state in seen.items())
        check("maps of points", True, f"valid; not wrapped when last run: {passed}" if passed else "valid")
    except AgentosOtelError as error:
        check("maps of points", False, str(error))
    try:
        with workspace() as space:
            if rebuild:
                space.index.rebuild()
            ambiguous = [row["value"] for row in space.store.rows("ambiguous_ids")]
            check("task store", True, found.database_url.split("@")[-1])
            total = space.index.all_losses()
            lost = total["dropped"] + total["damaged"]  # what was cut or came late is there
            check("losses", not lost, ", ".join(f"{key} {value}" for key, value in total.items()))
            refused = space.index.refused()
            full = space.index.size >= found.max_size
            check("journals", not refused and not full, _journals(space.index.size, found.max_size, refused))
            check("ids", not ambiguous, f"produced in several tasks: {', '.join(ambiguous)}" if ambiguous else "unique")
    except AgentosOtelError as error:
        check("task store", False, str(error))
    check("forwarding", *_forwarding(found))
    if found.jaeger_url:
        check("jaeger", *_jaeger(found.jaeger_url))
    check("git", *_git())
    if as_json:
        print_json({"schema_version": 1, "checks": checks})
    else:
        for item in checks:
            click.echo(f"{'ok ' if item['ok'] else 'BAD'}  {item['check']}: {item['detail']}")
    if not all(item["ok"] for item in checks):
        raise click.exceptions.Exit(1)


def _journals(size: int, max_size: int, refused: list[str]) -> str:
    from agentos_otel.cli.format import size as shown

    said = [f"{shown(size)} of {shown(max_size)}", *refused[:3]]
    return "; ".join([*said, "full: run `agentos-otel prune`"] if size >= max_size else said)


def _writable(found: settings.Settings) -> tuple[bool, str]:
    folder = found.state_dir
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        return False, f"{found.state_dir} cannot be written: set AGENTOS_OTEL_STATE_DIR"
    return True, str(found.state_dir)


def _forwarding(found: settings.Settings) -> tuple[bool, str]:
    """Say where spans are sent on to, what became of them, and what is still to be sent."""
    try:
        destination = found.destination()
        known = positions.read(found.state_dir)
    except AgentosOtelError as error:
        return False, str(error)
    where = f"by {destination.protocol}" if destination else "no endpoint is set here"
    if known is None:
        return True, where
    try:
        state, refusals, offsets = known.state(), known.refusals(), known.offsets()
    finally:
        known.close()
    grown = JournalFiles(found.journal_dir).grown(offsets, thorough=True)
    pending = sum(path.stat().st_size - offsets.get(name, 0) for name, path in grown)
    said = [where, positions.describe(state), f"{pending} bytes of journals to read"]
    said += [f"{explained(reason)}, {spans} spans" for reason, spans in refusals]
    said += [f"failing: {explained(state['last_error'])}"] if state.get("failures") else []
    said += [f"the server said: {state['last_answer']}"] if state["rejected"] else []
    return not (refusals or state.get("failures") or state["rejected"] or state["lost"]), "; ".join(said)


def _jaeger(url: str) -> tuple[bool, str]:
    from agentos_otel.query.jaeger import Jaeger
    from agentos_otel.query.jaeger_api import JaegerApi

    try:
        api = JaegerApi(url)
        services = Jaeger(api).services()
        api.close()
    except AgentosOtelError as error:
        return False, str(error)
    return True, f"{api.url}, spans of {len(services)} services"


def _git() -> tuple[bool, str]:
    if shutil.which("git") is None:
        return False, "git is not on PATH: commits cannot be joined"
    done = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False)
    note = "what installs hooks (pre-commit install, git lfs install) under `run` wants `run --no-hooks`"
    return done.returncode == 0, f"{done.stdout.strip()}; {note}"
