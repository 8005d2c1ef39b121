"""`demo`: the demo pipeline on a real git repository, each stage a process of its own, and the run it leaves."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import click

from agentos_otel import semconv, settings
from agentos_otel.cli.main import console, json_option, print_json, workspace
from agentos_otel.cli.run_view import print_run
from agentos_otel.errors import ConfigurationError
from agentos_otel.query.document import document
from agentos_otel.query.jaeger_api import trace_link

_HOME = Path(__file__).parent.parent / "demo"
_AUTHOR = {
    "GIT_AUTHOR_NAME": "Demo",
    "GIT_AUTHOR_EMAIL": "demo@example.org",
    "GIT_COMMITTER_NAME": "Demo",
    "GIT_COMMITTER_EMAIL": "demo@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


@click.command()
@click.option("--repo", type=click.Path(path_type=Path, exists=True, file_okay=False), default=None,
              help="A Python repository; a small one is made if none is given.")  # fmt: skip
@click.option("--request", default="rename total_price to amount_due in this repository", show_default=True)
@click.option("--model", default=None, help="Ask a real model (OPENAI_BASE_URL, OPENAI_API_KEY) for the plan.")
@json_option
def demo(repo: Path | None, request: str, model: str | None, as_json: bool) -> None:
    """Run a pipeline that knows nothing of this library: a request in, a commit out, six processes between."""
    environ = {
        **os.environ,
        **({} if repo else _AUTHOR),
        "PYTHONPATH": os.pathsep.join(entry for entry in (str(_HOME), os.environ.get("PYTHONPATH", "")) if entry),
        semconv.ENV_MAP: str(_HOME / "map.toml"),
    }
    # Kept under the state directory: the artifacts and the commit that the run names can be looked at afterwards.
    work = Path(settings.read().state_dir) / "demo" / secrets.token_hex(4)
    work.mkdir(parents=True)
    if repo is None:
        repo = work / "repository"
        _stage(environ, work, "sample", "--out", str(repo))
    printed = _chain(environ, repo.absolute(), work, request, model)
    intent = next((line.split("=", 1)[1] for line in printed if line.startswith("intent_id=")), "")
    with workspace() as space:
        task_id = space.resolve(intent)
        found = document(space, task_id)
        link = trace_link(space.jaeger_url, found["task"]["trace_id"])
    if as_json:
        print_json(found)
        return
    print_run(console(), found, link)
    for command in (
        "task show {} --waterfall",
        "task show {} --flow",
        "task show {} --json",
        f"find {intent}",
        "doctor",
    ):
        click.echo(f"try: agentos-otel {command.format(task_id)}")


def _chain(environ: dict[str, str], repo: Path, work: Path, request: str, model: str | None) -> list[str]:
    """Run the stages one after another; nothing encloses them. Returns the lines that they printed."""

    def file(name: str) -> str:
        return str(work / f"{name}.json")

    chosen = ["--model", model] if model else []
    printed = _stage(
        environ, repo, "intent", "--repo", str(repo), "--request", request, "--out", file("intent"), *chosen
    )
    printed += _stage(environ, repo, "coordinate", "--intent", file("intent"), "--out", file("coordination"))
    printed += _stage(environ, repo, "dry-run", "--coordination", file("coordination"), "--out", file("dry_result"))
    printed += _stage(environ, repo, "ask", "--dry-result", file("dry_result"), "--out", file("questions"))
    printed += _stage(environ, repo, "answer", "--questions", file("questions"), "--out", file("answers"))
    answers = ["--answers", file("answers")]
    execute = ["execute", "--dry-result", file("dry_result"), *answers, "--out", file("execution")]
    return printed + _stage(environ, repo, *execute, *chosen)


def _stage(environ: dict[str, str], folder: Path, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "agentos_otel.auto", "-m", "rename_pipeline", *arguments]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ConfigurationError(f"the demo's stage {arguments[0]!r} failed: {last}")
    return done.stdout.splitlines()
