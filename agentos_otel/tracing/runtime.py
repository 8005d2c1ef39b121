"""What a span needs of its process: the journal, the task store behind a breaker, and the values of the settings.

Built by `bootstrap`, which installs itself here as `factory`; the first span asks for it, so that decorators work
without any call and importing them opens nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

import opentelemetry.trace

from agentos_otel import guard, semconv
from agentos_otel.errors import StorageError
from agentos_otel.journal.encoding import json_bytes
from agentos_otel.journal.record import ENDED_SPAN, STATEMENT, frame
from agentos_otel.model import Operation

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.context import Context

    from agentos_otel.journal.encoding import SpanEncoder
    from agentos_otel.journal.memory import MemoryJournal
    from agentos_otel.journal.writer import Journal
    from agentos_otel.tasks.store import TaskStore

T = TypeVar("T")

SQL_WAIT: Final = 0.25
"""Seconds that the traced program may wait for SQL, once."""


class Bridge(Protocol):
    """What stands between our spans and a provider of the host's (`export.bridge`)."""

    resource: Any
    scope: Any

    def sample(self, trace_id: bytes, name: str, attributes: Mapping[str, Any]) -> bool:
        """Return the decision of the host's sampler for a task that begins."""
        ...

    def on_start(self, span: Any, context: Context) -> None:
        """Show a span of ours that began to the host's processors."""
        ...

    def on_end(self, span: Any) -> None:
        """Journal a span of ours that ended and hand it to the host's processors."""
        ...

    def write_start(self, span: Any) -> None:
        """Write the start of a foreign span that one of ours hangs under."""
        ...


@dataclass(frozen=True, slots=True)
class Inherited:
    """What the environment says of the task that this process works for (design 3.9)."""

    task_id: str
    session_id: str
    trace_id: str
    span_id: str
    sampled: bool
    task_file: str


class ForeignParent(NamedTuple):
    """The span of somebody else that a `TRACEPARENT` names: 16 bytes, 8 bytes, the sampled bit."""

    trace_id: bytes
    span_id: bytes
    sampled: bool


@dataclass(slots=True)
class Options:
    """The settings that spans and joining need, as plain values."""

    state_dir: Path
    namespace: str = ""
    session_id: str = ""
    capture: bool = False
    resume_window_ns: int = 24 * 3600 * 10**9
    sample: Callable[[bytes], bool] | None = None
    inherited: Inherited | None = None
    trailers: bool = True
    program: str = ""
    host: str = ""
    foreign: ForeignParent | None = None
    parent_from_environment: bool = False
    in_memory: bool = False


@dataclass
class Runtime:
    """Journal, store and options of this process."""

    options: Options
    journal: Journal | MemoryJournal
    new_encoder: Callable[[str], SpanEncoder]
    store: TaskStore | None = None
    generation: int = 0
    pending: list[Operation] = field(default_factory=list)
    build_bridge: Callable[[Runtime, Any], Bridge | None] | None = None
    """Set by `bootstrap`: joins a provider that the host has set, None where there is nothing to join."""
    bridge: Bridge | None = None
    finish: Callable[[], None] = lambda: None
    """Set by `bootstrap`: lets what is journaled be sent on, called after the journal's end."""
    task_ended: bool = False
    """Whether this process has written the root of a task."""

    def __post_init__(self) -> None:
        """Make the encoder, and make both anew in a fork's child."""
        self.write, self.append = self.journal.write, self.journal.append
        self.encoder = self.new_encoder(self.journal.run_id)
        self.open: set[bytes] = set()  # ids of spans whose start is written and whose end is not
        self.sink: Callable[[Any], None] = self._journal_span
        self._provider: Any = None
        self._retry_at = 0.0
        self._failures = 0
        self._unstored = 0
        self._storing = threading.RLock()
        self._identity: int | None = None
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self.generation += 1
        self.pending = []
        self.open = set()
        self._unstored = 0
        self._storing = threading.RLock()
        self.encoder = self.new_encoder(self.journal.run_id)

    def _journal_span(self, span: Any) -> None:
        self.append(span.record(ENDED_SPAN, span.end_ns))

    def look_for_provider(self) -> None:
        """Join the provider that the host has set since the last look, if it has.

        By the API's variable and not by `get_tracer_provider()`, which may itself set one.
        """
        provider = getattr(opentelemetry.trace, "_TRACER_PROVIDER", None)
        if provider is not None and provider is not self._provider:
            self.join_provider(provider)

    def join_provider(self, provider: Any) -> None:
        """Let our spans go through `provider` and its spans into our journal, if it is one that can."""
        self._provider = provider
        if self.build_bridge is not None:
            self.bridge = guard.guarded("joining the host's provider", self.build_bridge, self, provider)
            self.sink = self.bridge.on_end if self.bridge is not None else self._journal_span

    def samples(self, trace_id: bytes, name: str) -> bool:
        """Decide whether a task that begins is recorded: the host's sampler if there is one, else the settings'."""
        if self.bridge is not None:
            return self.bridge.sample(trace_id, name, {semconv.AGENTOS_KIND: "task"})
        return self.options.sample is None or self.options.sample(trace_id)

    @property
    def run_id(self) -> str:
        """Id of this process's part in the work."""
        return self.journal.run_id

    @property
    def behind(self) -> bool:
        """Whether the task store lacks something that was said here: readers of the journal will tell it."""
        return self._unstored != 0

    def say(self, operations: Sequence[Operation]) -> None:
        """Journal operations by one write: a kill must not come between the parts of a birth."""
        with self._storing:
            self._unstored += len(operations)
            self.append(b"".join([frame(STATEMENT, json_bytes(operation)) for operation in operations]))

    def note_stored(self, count: int) -> None:
        """Note that the store took `count` operations; once it has all that were said, the journal says so.

        Readers need not tell it a second time what millions of runs have told it themselves. What failed once is
        never made up for here, so that from then on nothing is claimed, and readers tell it all.
        """
        with self._storing:
            self._unstored -= count
            if self._unstored or not count or self.store is None:
                return
            if self._identity is None:
                with contextlib.suppress(StorageError):
                    self._identity = self.store.identity(SQL_WAIT)
            if self._identity is not None:
                self.journal.state({"op": "told", "store": self._identity})

    def state(self, operations: Sequence[Operation]) -> None:
        """Journal operations; SQL gets them with the next transaction, or from the indexer."""
        self.say(operations)
        self.pending.extend(operations)

    def sql(self, call: Callable[[float], T]) -> T | None:
        """Return `call(timeout)` on the store, or None where it failed or the breaker is open.

        The first failure costs the host at most `SQL_WAIT`; then nothing is tried for 30 s, and twice as long after
        each further failure: a database that hangs must not slow every stage.
        """
        if self.store is None or time.monotonic() < self._retry_at:
            return None
        try:
            result = call(SQL_WAIT)
        except StorageError as error:
            self._retry_at = time.monotonic() + 30 * 2 ** min(self._failures, 6)
            self._failures += 1
            guard.warn_once(
                "state", "the task store did not take a change (%s); the journal has it, readers catch up", error
            )
            return None
        self._failures = 0
        return result

    def flush(self, last: Sequence[Operation] = ()) -> list[bool | None] | None:
        """Apply what is pending, then `last`, in one transaction.

        Args:
            last: Operations that are journaled already. They are not put among the pending ones, where another thread
                could take them, and their results with them.

        Returns:
            The results of `last`; None if SQL did not take it (the journal has it).
        """
        before, self.pending = self.pending, []
        operations, store = [*before, *last], self.store
        if not operations:
            return []
        results = self.sql(lambda timeout: store.apply(operations, timeout, live=True)) if store else None
        if results is None:
            return None
        guard.guarded("noting what is stored", self.note_stored, len(operations))
        return results[len(before) :]

    def flush_soon(self, last: Sequence[Operation] = ()) -> list[bool | None] | None:
        """Apply what is pending; from a short-lived thread where an event loop runs here, which must not wait."""
        if on_event_loop():
            threading.Thread(target=guard.guarded, args=("storing a task", self.flush, last), daemon=True).start()
            return None
        return self.flush(last)


def on_event_loop() -> bool:
    """Whether the caller runs on an asyncio event loop."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


factory: Callable[[], Runtime | None] | None = None
"""Set by the package root to `bootstrap`'s; asked once, by the first span."""

_runtime: Runtime | None = None
_resolved = False
_lock = threading.RLock()


def current() -> Runtime | None:
    """Return the process's runtime, made at the first call; None where tracing is off."""
    global _runtime, _resolved  # noqa: PLW0603 - one runtime a process
    if _resolved:
        return _runtime
    with _lock:
        if not _resolved:
            _runtime = guard.guarded("starting", factory) if factory else None
            _resolved = True
        return _runtime


def install(runtime: Runtime | None) -> None:
    """Make `runtime` the process's own (`configure()`, tests); None asks the factory again at the next span."""
    global _runtime, _resolved  # noqa: PLW0603 - one runtime a process
    with _lock:
        _runtime = runtime
        _resolved = runtime is not None


def installed() -> Runtime | None:
    """Return the runtime if there is one already, without making it."""
    return _runtime
