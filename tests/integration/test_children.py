"""The environment of real child processes: ours is added to the child's copy, and to nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agentos_otel import guard
from agentos_otel.correlation import children

SHOW = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
OURS = {"AGENTOS_OTEL_TASK_ID": "t-1", "AGENTOS_OTEL_TRACEPARENT": "00-01-02-01"}


class Given:
    """What children get, and what we were told that they would have."""

    def __init__(self) -> None:
        self.adds: Mapping[str, str] = OURS
        self.seen: list[Mapping[str, str]] = []

    def environment(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        self.seen.append(environ)
        return self.adds


def environment() -> dict[str, str]:
    """Return this process's environment, without what pytest changes in it at each step."""
    return {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Iterator[Given]:
    monkeypatch.setenv("FROM_THE_HOST", "yes")
    before, bare, made = environment(), subprocess.Popen.__init__, Given()
    children.install(made.environment)
    yield made
    children.uninstall()
    assert subprocess.Popen.__init__ is bare
    assert environment() == before


def child(*args: Any, **kwargs: Any) -> dict[str, str]:
    with subprocess.Popen(SHOW, *args, **{"stdout": subprocess.PIPE, **kwargs}) as process:
        out, _ = process.communicate(timeout=60)
    found: dict[str, str] = json.loads(out)
    return found


def test_without_an_environment_of_its_own_a_child_has_the_hosts_and_ours(given: Given) -> None:
    assert child().items() >= {**OURS, "FROM_THE_HOST": "yes"}.items()
    assert given.seen[0]["FROM_THE_HOST"] == "yes"


def test_a_given_mapping_is_copied_and_never_changed(given: Given) -> None:
    env = {"ONLY": "this", "AGENTOS_OTEL_TASK_ID": "old"}
    found = child(env=env)
    assert found.items() >= {**OURS, "ONLY": "this"}.items()
    assert "FROM_THE_HOST" not in found
    assert env == {"ONLY": "this", "AGENTOS_OTEL_TASK_ID": "old"}


def test_env_by_position(given: Given) -> None:
    # bufsize, executable, stdin, stdout, stderr, preexec_fn, close_fds, shell, cwd, env, universal_newlines
    args = (-1, None, None, subprocess.PIPE, None, None, True, False, None, {"ONLY": "this"}, True)
    with subprocess.Popen(SHOW, *args) as process:
        out, _ = process.communicate(timeout=60)
    assert isinstance(out, str)
    assert json.loads(out).items() >= {**OURS, "ONLY": "this"}.items()


def test_an_explicit_empty_environment_stays_empty(given: Given) -> None:
    out = subprocess.run(["env"], env={}, capture_output=True, check=True, timeout=60)
    assert (out.stdout, given.seen) == (b"", [])


def test_bytes_are_left_as_they_are_and_no_name_stands_twice(given: Given) -> None:
    env: Any = {b"RAW": b"\xff", b"AGENTOS_OTEL_TASK_ID": b"old", "TEXT": Path("a") / "b"}
    out = subprocess.run(["env", "-0"], env=env, capture_output=True, check=True, timeout=60)
    lines = out.stdout.strip(b"\0").split(b"\0")
    assert sorted(lines) == sorted(
        [b"RAW=\xff", b"TEXT=a/b", *(f"{key}={value}".encode() for key, value in OURS.items())]
    )
    assert given.seen == [{"RAW": "\udcff", "AGENTOS_OTEL_TASK_ID": "old", "TEXT": "a/b"}]


class Recording(subprocess.Popen[bytes]):
    """A host's subclass; it sees what reaches the real constructor's caller."""

    def __init__(self, args: list[str], **kwargs: Any) -> None:
        self.given_env = kwargs.get("env")
        super().__init__(args, **kwargs)


def test_a_subclass_works_as_before(given: Given) -> None:
    with Recording(SHOW, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(timeout=60)
    assert process.given_env is None
    assert json.loads(out).items() >= OURS.items()


def launched_with(monkeypatch: pytest.MonkeyPatch, given: Given, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Return what reaches the constructor below ours, which starts nothing."""
    reached: list[tuple[Any, Any]] = []

    def bare(self: Any, *args: Any, **kwargs: Any) -> None:
        reached.append((args, kwargs))

    children.uninstall()
    with monkeypatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", bare)
        patch.setattr(subprocess.Popen, "__del__", lambda self: None)
        children.install(given.environment)
        subprocess.Popen(*args, **kwargs)
        children.uninstall()
    return reached[0]


def test_arguments_pass_untouched_where_nothing_is_added_or_we_fail(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"ONLY": "this"}
    nothing: tuple[Any, ...] = ({}, None)
    for given.adds in nothing:
        assert launched_with(monkeypatch, given, ["x"], env=None) == ((["x"],), {"env": None})
        args, kwargs = launched_with(monkeypatch, given, ["x"], env=env)
        assert (args, kwargs["env"] is env) == ((["x"],), True)

    def fail(environ: Mapping[str, str]) -> Mapping[str, str]:
        raise OSError("no state directory")

    monkeypatch.setattr(given, "environment", fail)
    monkeypatch.setattr(guard, "raise_failures", False)
    args, kwargs = launched_with(monkeypatch, given, ["x"], env=env)
    assert (args, kwargs["env"] is env) == ((["x"],), True)


def test_wrong_calls_raise_what_they_raised_before(given: Given) -> None:
    with pytest.raises(FileNotFoundError):
        subprocess.run(["/no/such/program"], check=False)
    with pytest.raises(TypeError, match="nonsense"):
        subprocess.Popen(SHOW, nonsense=1)  # type: ignore[call-overload]


def test_run_shell_popen_and_asyncio_go_the_same_way(given: Given) -> None:
    name = "AGENTOS_OTEL_TASK_ID"
    assert subprocess.check_output(f"echo ${name}", shell=True, text=True) == "t-1\n"
    with os.popen(f"echo ${name}") as pipe:
        assert pipe.read() == "t-1\n"

    async def from_a_loop() -> bytes:
        process = await asyncio.create_subprocess_exec("sh", "-c", f"echo ${name}", stdout=subprocess.PIPE)
        out, _ = await process.communicate()
        return out

    assert asyncio.run(from_a_loop()) == b"t-1\n"


def test_installing_twice_asks_once_and_uninstalling_twice_is_nothing(given: Given) -> None:
    children.install(given.environment)
    child()
    assert len(given.seen) == 1
    children.uninstall()
    children.uninstall()
    assert "AGENTOS_OTEL_TASK_ID" not in child()


def test_a_wrapper_that_came_after_ours_stays_when_we_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess.Popen, "__init__", subprocess.Popen.__init__)  # given back at the end
    host = Given()
    children.install(host.environment)
    ours = subprocess.Popen.__init__

    def theirs(self: Any, *args: Any, **kwargs: Any) -> None:
        ours(self, *args, **kwargs)

    monkeypatch.setattr(subprocess.Popen, "__init__", theirs)
    children.uninstall()
    assert subprocess.Popen.__init__ is theirs
    assert "AGENTOS_OTEL_TASK_ID" not in child()
    children.install(host.environment)
    assert child()["AGENTOS_OTEL_TASK_ID"] == "t-1"
    children.uninstall()
    assert len(host.seen) == 1


def test_a_child_of_a_task_gets_its_span_and_one_outside_gets_nothing(tmp_path: Path) -> None:
    program = (
        "import json, subprocess, sys\n"
        "from agentos_otel import configure, task\n"
        f"configure(state_dir={str(tmp_path / 'state')!r})\n"
        f"show = {SHOW!r}\n"
        "outside = json.loads(subprocess.check_output(show))\n"
        "with task('work') as work:\n"
        "    inside = json.loads(subprocess.check_output(show))\n"
        "print(json.dumps([outside, inside, work.task_id, work.trace_id]))\n"
    )
    clean = {key: value for key, value in os.environ.items() if not key.startswith("AGENTOS_OTEL_")}
    out = subprocess.run([sys.executable, "-c", program], env=clean, capture_output=True, check=True, timeout=60)
    outside, inside, task_id, trace_id = json.loads(out.stdout)
    assert not [key for key in outside if key.startswith("AGENTOS_OTEL_")]
    assert inside["AGENTOS_OTEL_TASK_ID"] == task_id
    assert inside["AGENTOS_OTEL_TRACEPARENT"].split("-")[1] == trace_id
