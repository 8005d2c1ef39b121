"""The composition root: the one place that knows every part. configure(), shutdown(), and the default at first use."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentos_otel import guard, instrumenting, semconv
from agentos_otel.context.current import current_attempt
from agentos_otel.context.ids import new_run_id
from agentos_otel.context.namespace import namespace_of
from agentos_otel.context.resource import RunResource, host_name, program_name
from agentos_otel.errors import AgentosOtelError
from agentos_otel.journal.encoding import SpanEncoder
from agentos_otel.journal.writer import Journal
from agentos_otel.settings import Settings, read
from agentos_otel.tracing import carriers, host_tasks, inheriting
from agentos_otel.tracing import runtime as runtimes
from agentos_otel.tracing.runtime import SQL_WAIT, Options, Runtime
from agentos_otel.tracing.span import now_ns

if TYPE_CHECKING:
    from agentos_otel.export.background import BackgroundForwarder
    from agentos_otel.export.bridge import Bridge
    from agentos_otel.query.workspace import Workspace
    from agentos_otel.tasks.store import TaskStore

CLI_WAIT = 10.0
"""Seconds that a command waits for the task store; the traced program waits `SQL_WAIT`."""

_lock = threading.RLock()
_activated = False
_exit_registered = False


def open_store(settings: Settings, timeout: float) -> TaskStore:
    """Return the task store that `settings` name; it connects at its first use.

    Raises:
        ConfigurationError: The database's URL cannot be meant.
    """
    from agentos_otel.tasks.database import open_database
    from agentos_otel.tasks.store import TaskStore

    return TaskStore(open_database(settings.database_url, timeout))


def _sampler(settings: Settings) -> Callable[[bytes], bool] | None:
    """Return the decision at a root, or None for always; as the SDK's samplers of the same names decide."""
    kind = settings.sampler.removeprefix("parentbased_")
    if kind == "always_on":
        return None
    if kind == "always_off":
        return lambda trace_id: False
    bound = round(settings.sampler_ratio * (1 << 64))
    return lambda trace_id: int.from_bytes(trace_id[8:], "big") < bound


def build_runtime(settings: Settings, environ: Mapping[str, str]) -> Runtime:
    """Return a runtime for `settings`; it touches no global, no file and no database until a span needs one."""
    resource = RunResource(settings.service_name)

    def build_bridge(runtime: Runtime, provider: Any) -> Bridge | None:
        provider = sdk_provider(provider)
        if provider is None:
            return None
        from agentos_otel.export.bridge import Bridge

        resource.adopt(provider.resource.attributes)
        runtime.encoder = runtime.new_encoder(runtime.run_id)
        if runtime.journal.is_open:
            runtime.journal.state(resource.statement(runtime.run_id, now_ns()))
        return Bridge(runtime, provider)

    forwarder = _forwarder(settings)
    journal = Journal(
        settings.journal_dir / "live" / resource.host,
        new_run_id,
        lambda run_id: resource.statement(run_id, now_ns()),
        max_bytes=settings.max_run_size,
        opened=forwarder.start if forwarder is not None else None,
    )
    inherited = carriers.inherited_from(environ)
    options = Options(
        state_dir=settings.state_dir,
        namespace=namespace_of(Path.cwd()),
        session_id=settings.session_id,
        capture=settings.capture,
        sample=_sampler(settings),
        inherited=inherited,
        trailers=settings.trailers,
        program=resource.program,
        host=resource.host,
        foreign=None if inherited else carriers.foreign_parent(environ),
        parent_from_environment=settings.parent_from_environment,
    )
    try:
        store = open_store(settings, SQL_WAIT)
    except AgentosOtelError as error:
        guard.warn_once("store", "tasks are kept in the journal alone: %s", error)
        store = None
    runtime = Runtime(
        options, journal, lambda run_id: SpanEncoder(resource.small(run_id)), store, build_bridge=build_bridge
    )
    if forwarder is not None:
        runtime.finish = lambda: forwarder.finish(task_ended=runtime.task_ended)
    return runtime


def _forwarder(settings: Settings) -> BackgroundForwarder | None:
    """Return what sends the journal on from a thread of this process; None where no endpoint is set."""
    if not settings.otlp:
        return None
    from agentos_otel import forwarding

    return forwarding.background_forwarder(settings, lambda: open_store(settings, SQL_WAIT))


def default() -> Runtime | None:
    """Return the runtime for the environment's settings; what `tracing` asks for at the first span."""
    try:
        settings = read()
    except AgentosOtelError as error:
        # Not an exception into the traced program: the CLI and configure() say it with exit code 2.
        guard.warn_once("settings", "tracing is off: %s", error)
        return None
    if settings.disabled or sys.platform not in ("linux", "darwin"):
        return None
    return _started(build_runtime(settings, os.environ))


def _started(runtime: Runtime) -> Runtime:
    global _exit_registered  # noqa: PLW0603 - one handler a process
    if not _exit_registered:
        _exit_registered = True
        atexit.register(shutdown)
    return runtime


def sdk_provider(provider: Any) -> Any:
    """Return the SDK's own provider that `provider` is or wraps (as Logfire's does); None where there is none."""
    sdk = sys.modules.get("opentelemetry.sdk.trace")
    for found in (provider, getattr(provider, "provider", None)):
        if sdk is not None and isinstance(found, sdk.TracerProvider):
            return found
    return None


def configure(
    *,
    state_dir: str | Path | None = None,
    database_url: str | None = None,
    capture: bool | None = None,
    session_id: str | None = None,
    trailers: bool | None = None,
    service_name: str | None = None,
    maps: Iterable[str | Path] | None = None,
) -> None:
    """Set up tracing for this process: logs, children and commits are joined, `maps` applied.

    Decorators need no call; this is for what has to be switched on. What is None comes from the environment. Where the
    host has set no provider of OpenTelemetry and the SDK is installed, one is set, so that other instrumentations
    (HTTP clients, model clients) are recorded inside a task.

    Raises:
        ConfigurationError: A setting or a map is wrong; one sentence says what to do.
    """
    settings = read().with_changes(
        state_dir=state_dir,
        database_url=database_url,
        capture=capture,
        session_id=session_id,
        trailers=trailers,
        service_name=service_name,
        maps=maps,
    )
    if settings.disabled:
        return
    open_store(settings, SQL_WAIT)  # a wrong URL is the caller's to know
    runtimes.install(_started(build_runtime(settings, os.environ)))
    _set_provider(settings)
    activate(settings)


def _set_provider(settings: Settings) -> None:
    """Give foreign instrumentations a provider where the host has set none and the SDK is installed."""
    import importlib.util

    from opentelemetry import trace

    if getattr(trace, "_TRACER_PROVIDER", None) is not None or importlib.util.find_spec("opentelemetry.sdk") is None:
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    resource = Resource.create({semconv.SERVICE_NAME: settings.service_name or program_name()})
    trace.set_tracer_provider(TracerProvider(resource=resource))


def activate(settings: Settings | None = None) -> None:
    """Join logs, children and commits of this process, and apply the maps of points; idempotent.

    Raises:
        ConfigurationError: A setting or a map is wrong.
    """
    global _activated  # noqa: PLW0603 - once a process
    settings = settings or read()
    if settings.disabled:
        return
    with _lock:
        instrumenting.apply_maps(settings)
        if _activated:
            return
        _activated = True
        from agentos_otel.correlation import children, commits, log_journal, logs

        children.install(child_environment)
        logs.install(log_journal.current, log_journal.keep)
        commits.install()


def child_environment(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return what a child that is launched here gets beside `environ`: the current span, and the commit hooks."""
    attempt, runtime = current_attempt(), runtimes.installed()
    if attempt is None or runtime is None or runtime.options.in_memory:
        return {}
    from opentelemetry.trace import get_current_span

    from agentos_otel.tracing.span import Span

    variables = dict(carriers.inject())
    span = get_current_span()
    if type(span) is Span:
        span.children_launched = True
    variables[semconv.ENV_TASK_FILE] = carriers.task_file_of(runtime, attempt)
    variables[semconv.ENV_STATE_DIR] = str(runtime.options.state_dir)
    if runtime.options.trailers:
        variables.update(hook_environment(runtime.options.state_dir, environ))
    return variables


def hook_environment(state_dir: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make git in a child run our hooks."""
    from agentos_otel.correlation import hooks

    return hooks.environment(environ, hooks.install(state_dir, version()))


def version() -> str:
    """Return this library's version."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("agentos-otel")
    except PackageNotFoundError:
        return "0"


def shutdown() -> None:
    """Leave what this process has joined and end its journal; the next span begins a new one."""
    runtime = runtimes.installed()
    if runtime is None:
        return
    guard.guarded("noting points", instrumenting.note_points, runtime.options.state_dir)
    guard.guarded("leaving a task", inheriting.leave_inherited, runtime)
    guard.guarded("storing tasks", runtime.flush)
    if host_tasks.table is not None:
        guard.guarded("telling the host's table", host_tasks.table.flush)
    # What is still open (the stage of a daemon thread, say) will never end: the run is left to the reaper then.
    statement = None if runtime.open else {"op": "run_end", "run_id": runtime.run_id, "at": now_ns()}
    guard.guarded("ending the journal", runtime.journal.close, statement)
    guard.guarded("forwarding", runtime.finish)
    runtimes.install(None)


def open_workspace(settings: Settings | None = None) -> Workspace:
    """Return the workspace that `settings` (the environment's if None) name, for queries and the API.

    Raises:
        AgentosOtelError: A setting is wrong, or a store cannot be opened.
    """
    from agentos_otel.forwarding import Sent
    from agentos_otel.query.workspace import Workspace

    settings = settings or read()
    idle_ns = round(settings.idle_days * 24 * 3600 * 10**9)
    store = open_store(settings, CLI_WAIT)
    sent, host, jaeger = Sent(settings.state_dir), host_name(), settings.jaeger_url
    limits = (sent.is_done, sent.failed, settings.max_size)
    return Workspace(settings.state_dir, host, store, idle_ns, *limits, jaeger_url=jaeger)
