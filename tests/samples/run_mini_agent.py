"""Runs the unmodified mini-swe-agent on a repository with a model that says what a script says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from minisweagent.agents.default import DefaultAgent
from minisweagent.environments.local import LocalEnvironment
from minisweagent.models.test_models import DeterministicModel, make_output


def main(repository: str, script: str, trajectory: str) -> None:
    """Run the agent: each entry of `script` (JSON) is a step, a list of shell commands."""
    outputs = [
        make_output("next", [{"command": command} for command in commands])
        for commands in json.loads(Path(script).read_text())
    ]
    agent = DefaultAgent(
        DeterministicModel(outputs=outputs),
        LocalEnvironment(cwd=repository),
        system_template="You are an agent.",
        instance_template="{{task}}",
        cost_limit=0.0,
        output_path=Path(trajectory),
    )
    print(agent.run("commit a file")["exit_status"])


main(*sys.argv[1:])
