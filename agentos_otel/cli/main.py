"""The command group, and the one place where a mistake of the user's becomes a line and exit code 2."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from agentos_otel import bootstrap
from agentos_otel.errors import AgentosOtelError

if TYPE_CHECKING:
    from rich.console import Console

    from agentos_otel.query.workspace import Workspace

_COMMANDS = {
    "run": ("run", "run"),
    "demo": ("demo", "demo"),
    "task": ("tasks", "task"),
    "session": ("sessions", "session"),
    "find": ("find", "find"),
    "forward": ("forward", "forward"),
    "doctor": ("doctor", "doctor"),
    "map": ("maps", "map_"),
    "prune": ("prune", "prune"),
}


class _Lazy(click.Group):
    """Imports a command's module when it is called: `task show` should not pay for `demo`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"agentos_otel.cli.{module}"), name)
        return command


@click.command(cls=_Lazy)
@click.version_option(package_name="agentos-otel")
def cli() -> None:
    """From a task id, a commit, or any id of the pipeline to the whole run."""


def main() -> None:
    """Run the shell."""
    try:
        code = cli.main(standalone_mode=False)
        if isinstance(code, int):
            sys.exit(code)  # click returns the code of an Exit here, where it does not end the process itself
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        _refuse(error.format_message())
    except AgentosOtelError as error:
        _refuse(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _refuse(message: str) -> None:
    click.echo(f"agentos-otel: {' '.join(message.split())}", err=True)
    sys.exit(2)


@contextmanager
def workspace() -> Iterator[Workspace]:
    """Open the workspace that the environment names, brought up to date."""
    opened = bootstrap.open_workspace()
    try:
        opened.refresh()
        for why in opened.index.refused():
            click.echo(f"agentos-otel: passed over: {why}", err=True)
        yield opened
    finally:
        opened.close()


def console() -> Console:
    """Return the terminal; plain text where it is none."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


json_option = click.option("--json", "as_json", is_flag=True, help="Print the documented JSON structure.")
