"""A click command above the decorator gets its parameters and its help."""

from __future__ import annotations

from typing import Any

import click
from click.testing import CliRunner

from tests.conformance.compare import Decorate, alike


def test_a_command(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        @click.command()
        @click.option("--count", default=1)
        @click.argument("name")
        @decorate
        def greet(count: int, name: str) -> None:
            """Greet NAME."""
            click.echo(" ".join([name] * count))

        runner = CliRunner()
        greeted, helped, wrong = (runner.invoke(greet, args) for args in (["--count", "2", "x"], ["--help"], []))
        return [greeted.output, greeted.exit_code, "Greet NAME." in helped.output, wrong.exit_code]

    assert alike(scenario, traced) == ["x x\n", 0, True, 2]
    assert shape() == [("greet", None, "ok")]
