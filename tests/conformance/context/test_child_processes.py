"""A child process gets the current span as `TRACEPARENT`: in the copy of the environment that is its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate

SHOW = [sys.executable, "-S", "-c", "import json, os; print(json.dumps(dict(os.environ)))"]


def test_every_way_to_start_one(adapter: Adapter, spans: Any) -> None:
    async def later() -> str:
        process = await asyncio.create_subprocess_exec(*SHOW, stdout=subprocess.PIPE)
        return (await process.communicate())[0].decode()

    @adapter.traced
    def work() -> list[str]:
        return [
            subprocess.run(SHOW, capture_output=True, text=True, check=True).stdout,
            subprocess.check_output(SHOW, text=True, env={"PATH": "", "MINE": "1"}),
            asyncio.run(later()),
        ]

    before = dict(os.environ)
    with adapter.joined_children():
        found = [json.loads(text) for text in work()]
    assert dict(os.environ) == before
    (span,) = spans()
    assert [child.get("TRACEPARENT", "").split("-")[1:3] for child in found] == [[span.trace_id, span.span_id]] * 3
    assert found[1]["MINE"] == "1"


def test_an_empty_environment_stays_empty_and_the_given_one_is_not_changed(adapter: Adapter) -> None:
    given = {"MINE": "1"}

    @adapter.traced
    def work() -> list[str]:
        return [subprocess.run(SHOW, capture_output=True, text=True, check=True, env=env).stdout for env in ({}, given)]

    with adapter.joined_children():
        empty, _ = (json.loads(text) for text in work())
    assert {key for key in empty if key != "LC_CTYPE"} == set()
    assert given == {"MINE": "1"}


def test_a_child_behaves_as_without_us(adapter: Adapter) -> None:
    command = [sys.executable, "-S", "-c", "import sys; print(sys.stdin.read().upper()); sys.exit(3)"]

    def scenario(decorate: Decorate) -> tuple[int, str]:
        @decorate
        def work() -> tuple[int, str]:
            done = subprocess.run(command, input="text", capture_output=True, text=True, check=False)
            return done.returncode, done.stdout

        return work()

    from tests.conformance.compare import alike

    with adapter.joined_children():
        assert alike(scenario, adapter.traced) == (3, "TEXT\n")
