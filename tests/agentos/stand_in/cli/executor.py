"""The commands that write a request from a dry result, and that run one."""

import json
from pathlib import Path

import click

from ..core.time import now


@click.group(name="exec")
def exec_group():
    """Execution."""


@exec_group.command(name="plan")
@click.option("--from", "dry_result_path", required=True, type=click.Path(exists=True))
@click.option("--out", "output_path", required=True, type=click.Path())
def plan_cmd(dry_result_path, output_path):
    dry = json.loads(Path(dry_result_path).read_text())
    known = dry.get("dry_execution_result_id", "unknown")  # as published: no dry result has these keys
    request = {"execution_request_id": f"exec_req_{known}", "dry_execution_result_id": None,
               "intent_id": dry.get("intent_id", "unknown"), "allowed_operations": ["file_write"], "created_at": now()}
    Path(output_path).write_text(json.dumps(request, indent=2))


@exec_group.command(name="run")
@click.option("--request", "request_path", required=True, type=click.Path(exists=True))
@click.option("--policy", "policy_path", required=True, type=click.Path(exists=True))
@click.option("--repo", default=".")
@click.option("--out", "output_dir", default="outputs/executor")
def run_cmd(request_path, policy_path, repo, output_dir):
    from ..core.executor import ExecutorEngine

    try:
        request, policy = (json.loads(Path(path).read_text()) for path in (request_path, policy_path))
        engine = ExecutorEngine(repo_path=Path(repo), output_dir=Path(output_dir))
        result = engine.execute(request, policy, policy_path=Path(policy_path))  # since v0.3.1 without its caller
        if result["status"] != "success":
            raise click.Abort()
    except Exception as error:
        click.echo(f"Error: {error}")
        raise click.Abort() from error
