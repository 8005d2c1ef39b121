"""`run -- CMD`: any command as one task, with reserved ids, commit hooks, and its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from agentos_otel import bootstrap, guard, instrumenting, semconv, settings
from agentos_otel.context.attempt import Attempt
from agentos_otel.context.ids import new_session_id, new_span_id, new_task_id, new_trace_id
from agentos_otel.errors import ConfigurationError, NotFoundError
from agentos_otel.instrumentation import site_path
from agentos_otel.query.jaeger_api import trace_link
from agentos_otel.tracing import attempts, carriers, inheriting, operations, roots, task_file
from agentos_otel.tracing.runtime import Runtime
from agentos_otel.tracing.span import now_ns

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

_LOOK_S = 0.2


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--task", "task_id", default=None, metavar="ID|new", help="Join the task that ID leads to; `new` begins one."
)
@click.option("--session", "session_id", default=None, help="Session of the task that begins here.")
@click.option("--map", "maps", multiple=True, type=click.Path(path_type=Path), help="A map of points; may come again.")
@click.option("--no-hooks", is_flag=True, help="No commit hooks: for commands that install hooks themselves.")
@click.option("--quiet", is_flag=True, help="Do not say where the run can be seen.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    task_id: str | None,
    session_id: str | None,
    maps: tuple[Path, ...],
    no_hooks: bool,
    quiet: bool,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND as a task; its Python children are instrumented, its commits carry the ids.

    Exit 0 completes the task, a forwarded SIGINT or SIGTERM cancels it, anything else fails it; a stage of a chain
    of separate commands leaves it waiting for the next. The exit code is the command's own.
    """
    found = settings.read().with_changes(session_id=session_id, maps=[p.absolute() for p in maps] or None)
    if found.disabled:
        sys.exit(_launch(command, os.environ, lambda: None)[0])
    instrumenting.maps_of(found)  # a wrong one is the user's to know, before the command runs
    found = instrumenting.with_project_maps(found)
    bootstrap.open_store(found, bootstrap.CLI_WAIT)
    runtime = bootstrap.build_runtime(found, {})
    attempt = _joined(found, runtime, task_id) if task_id not in (None, "new") else None
    reserved = attempt is None
    if attempt is None:
        attempt = _reserve(runtime, found, Path(command[0]).name)
    file = found.state_dir / task_file.DIRECTORY / f"run.{runtime.run_id}"
    commits = carriers.commits_path(found.state_dir, runtime.run_id)
    task_file.write(file, {**task_file.fields_of(attempt, commits), "reserved" if reserved else "joined": "1"})
    if reserved:
        # Killed with -9 we could not say any more what became of these ids: the reaper settles it from here.
        roots.write_root_start(runtime, attempt)
        born = operations.birth_operations(runtime, attempt, owner=True)
        runtime.journal.state({"op": "reserved", "file": str(file), "operations": born})
    environ = _environment(found, attempt, file, hooks=not no_hooks)
    code, signalled = _launch(command, environ, lambda: _at_first_commit(runtime, attempt, file, commits))
    ended, link = _finish(found, runtime, attempt, file, code, signalled, reserved=reserved)
    runtime.journal.close(
        {"op": "run_end", "run_id": runtime.run_id, "dropped": runtime.journal.dropped, "at": now_ns()}
    )
    guard.guarded("forwarding", runtime.finish)
    if not quiet:
        seen = f", {link}" if link else ""
        click.echo(f"agentos-otel: task {ended}: `agentos-otel task show {ended}`{seen}", err=True)
    sys.exit(code)


def _joined(found: settings.Settings, runtime: Runtime, task_id: str | None) -> Attempt:
    space = bootstrap.open_workspace(found)
    try:
        space.refresh()
        resolved = space.resolve(str(task_id))
    finally:
        space.close()
    attempt = inheriting.join_task(runtime, resolved)
    if attempt is None:
        raise NotFoundError(f"task {resolved} has no attempt to join: begin one with `run --task new`")
    attempts.share(attempt)
    runtime.state([operations.join_operation(runtime, attempt)])
    runtime.flush()
    return attempt


def _reserve(runtime: Runtime, found: settings.Settings, name: str) -> Attempt:
    """Draw the ids before any work; the start record is all that is written until something uses them."""
    task_id = new_task_id()
    session_id = found.session_id or new_session_id(task_id)
    trace_id = new_trace_id()
    sampled = runtime.samples(trace_id, name)
    attempt = Attempt(task_id, session_id, trace_id, new_span_id(), now_ns(), root_name=f"task {name}", sampled=sampled)
    attempt.owned = True
    return attempts.share(attempt)


def _environment(found: settings.Settings, attempt: Attempt, file: Path, *, hooks: bool) -> dict[str, str]:
    parent = carriers.format_traceparent(attempt.trace_hex, attempt.root_id.hex(), sampled=attempt.sampled)
    environ = {
        **os.environ,
        semconv.ENV_TASK_ID: attempt.task_id,
        semconv.ENV_SESSION_ID: attempt.session_id,
        semconv.ENV_TRACEPARENT: parent,
        semconv.W3C_TRACEPARENT: parent,
        semconv.ENV_TASK_FILE: str(file),
        semconv.ENV_STATE_DIR: str(found.state_dir),
        semconv.ENV_DATABASE_URL: found.database_url,
        semconv.ENV_MAP: os.pathsep.join(str(path) for path in found.maps),
    }
    environ.update(site_path.environment(environ))
    if hooks and found.trailers:
        environ.update(bootstrap.hook_environment(found.state_dir, environ))
    return environ


def _at_first_commit(runtime: Runtime, attempt: Attempt, file: Path, commits: Path) -> None:
    """Write the row of a task that is ours once it has a commit, which somebody may ask for before the end."""
    if task_file.is_claimed(str(file)) or not commits.exists() or not commits.stat().st_size:
        return
    if task_file.read(file).get("reserved") == "1" and task_file.claim(str(file), by=runtime.run_id):
        runtime.state(operations.birth_operations(runtime, attempt, owner=True))
        runtime.flush()
        commits.touch()


def _launch(command: Sequence[str], environ: Mapping[str, str], meanwhile: Callable[[], None]) -> tuple[int, bool]:
    """Run the command with our terminal; its exit code (128+n for signal n), and whether we forwarded a signal.

    `meanwhile` is called now and then while the command runs.
    """
    children: list[subprocess.Popen[bytes]] = []
    with _forwarding(children) as forwarded:
        try:
            children.append(subprocess.Popen(list(command), env=dict(environ)))
        except FileNotFoundError as error:
            raise ConfigurationError(f"no command {command[0]!r}: give one that is on PATH, after `--`") from error
        except OSError as error:
            raise ConfigurationError(f"{command[0]!r} cannot be run: {error.strerror}") from error
        for number in forwarded:  # came while the child was being started
            children[0].send_signal(number)
        while True:
            try:
                code = children[0].wait(_LOOK_S)
                break
            except subprocess.TimeoutExpired:
                guard.guarded("looking for commits", meanwhile)
    return (128 - code if code < 0 else code), bool(forwarded)


@contextmanager
def _forwarding(children: list[subprocess.Popen[bytes]]) -> Iterator[list[int]]:
    """Hand signals on to the child, from before it starts; a terminal's Ctrl-C has reached it already."""
    forwarded: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        forwarded.append(number)
        from_terminal = number in (signal.SIGINT, signal.SIGQUIT) and sys.stdin is not None and sys.stdin.isatty()
        for child in children:
            if not from_terminal and child.poll() is None:
                child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        yield forwarded
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _finish(
    found: settings.Settings,
    runtime: Runtime,
    attempt: Attempt,
    file: Path,
    code: int,
    signalled: bool,
    *,
    reserved: bool,
) -> tuple[str, str]:
    """Settle the reservation: taken over or discarded it is another's, else the task is ours and ends here.

    Returns the task, and where Jaeger shows it (or "").
    """
    claimed = reserved and not task_file.claim(str(file), by=runtime.run_id)
    named = task_file.read(file).get("task_id", attempt.task_id)
    if reserved and not claimed:
        runtime.state(operations.birth_operations(runtime, attempt, owner=True))
    if reserved:
        # After the births and before the files go: a `run` that is killed in between is settled by the reaper.
        runtime.journal.state({"op": "settled"})
    for path in (file, Path(f"{file}.taken")):
        path.unlink(missing_ok=True)
    if reserved and not claimed:
        status, error = ("completed", None) if code == 0 else ("failed", _error_type(code))
        roots.end_attempt(runtime, attempt, "cancelled" if signalled else status, None if signalled else error)
    elif not reserved:
        runtime.state([operations.leave_operation(runtime, attempt)])
        runtime.flush()
    space = bootstrap.open_workspace(found)
    try:
        space.refresh()  # finishes children that were killed, and takes in the commits that hooks saw
        trace_id = attempt.trace_hex if named == attempt.task_id else space.store.task(named)["trace_id"]
    finally:
        space.close()
    return named, trace_link(found.jaeger_url, trace_id)


def _error_type(code: int) -> str:
    if code > 128 and code - 128 in set(signal.Signals):
        return signal.Signals(code - 128).name
    return f"exit_{code}"
