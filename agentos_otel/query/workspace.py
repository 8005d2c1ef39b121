"""A state directory opened for reading: index, task store and journals, brought up to date at each question."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentos_otel.context.ids import new_run_id
from agentos_otel.errors import AmbiguousError, ConfigurationError, NotFoundError
from agentos_otel.journal.encoding import json_bytes
from agentos_otel.journal.record import STATEMENT, frame
from agentos_otel.journal.writer import Journal
from agentos_otel.query import commits
from agentos_otel.query.blaming import leads
from agentos_otel.query.closing import close_idle, resource
from agentos_otel.query.merging import merge_births
from agentos_otel.semconv import ENV_JAEGER_URL
from agentos_otel.store import day_files, pruning, reaper
from agentos_otel.store.index import Index
from agentos_otel.tasks.store import TaskStore
from agentos_otel.tracing import births

if TYPE_CHECKING:
    from agentos_otel.query.jaeger import Jaeger

SHORTEST_PREFIX = 6


@dataclass
class Workspace:
    """What queries need; opened once a command.

    Attributes:
        state_dir: The state directory.
        host: Name of this host, whose dead runs are finished here.
        store: The task store.
        idle_ns: Nanoseconds without a word after which a task is ended as abandoned.
        is_forwarded: Whether all of a live journal file has been sent; without an endpoint nothing has to be.
        failed_to_send: Number of records of some traces that a backend has refused for good.
        max_size: Bytes of all journals together beyond which traced programs write no more; None for any.
        jaeger_url: Jaeger's query API, or empty.
    """

    state_dir: Path
    host: str
    store: TaskStore
    idle_ns: int = 14 * 24 * 3600 * 10**9
    is_forwarded: Callable[[Path], bool] = lambda path: True
    failed_to_send: Callable[[Sequence[str]], int] = lambda traces: 0
    max_size: int | None = None
    jaeger_url: str = ""

    def __post_init__(self) -> None:
        """Open the index."""
        self.journal_dir = self.state_dir / "journal"
        if self.store.database.dialect == "postgresql" or self.jaeger_url:
            self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # what other hosts traced is there
        elif not self.state_dir.is_dir():
            raise NotFoundError(
                f"nothing is traced yet in {self.state_dir}: run `agentos-otel demo`, or set AGENTOS_OTEL_STATE_DIR"
            )
        self.index = Index(self.state_dir / "index.db", self.journal_dir, self.store)
        self._journal: Journal | None = None
        self._jaeger: Jaeger | None = None

    def refresh(self) -> None:
        """Read what the journals have grown by, and finish what nobody else will: dead runs, lone and idle tasks.

        Then finished journals are put together, if there are many.
        """
        births.sweep(self.state_dir)
        self.index.catch_up()  # first: the reaper asks the task store who else is in an attempt
        written = reaper.reap(self.journal_dir, self.host, self.store)
        commits.take_in(self)
        written += merge_births(self) + close_idle(self, self.idle_ns)
        if written:
            self.index.catch_up()
        day_files.merge(self.index, self.is_forwarded)
        pruning.tell_full(self.index, self.max_size)

    def do(self, *operations: dict[str, Any]) -> bool | None:
        """Journal operations of ours and apply them, all or none; the result of the last (see `TaskStore.apply`).

        Raises:
            StorageError: The store did not take it.
        """
        for operation in operations:
            operation.setdefault("at", time.time_ns())
        self.journal.append(b"".join([frame(STATEMENT, json_bytes(operation)) for operation in operations]))
        return self.store.apply(operations, timeout=10, live=True)[-1]

    @property
    def journal(self) -> Journal:
        """The journal of this process, for what the API changes (design 3.7: the tables can be rebuilt from it)."""
        if self._journal is None:

            def statement(run_id: str) -> dict[str, Any]:
                said = {"op": "run", "run_id": run_id, "program": "agentos-otel", "host": self.host}
                return {**said, "resource": resource(self.host, run_id), "at": time.time_ns()}

            self._journal = Journal(self.journal_dir / "live" / self.host, new_run_id, statement)
        return self._journal

    def jaeger(self) -> Jaeger:
        """Return Jaeger as the setting names it; it is connected to at its first question.

        Raises:
            ConfigurationError: None is set, or what is set is no address.
        """
        if not self.jaeger_url:
            raise ConfigurationError(f"no Jaeger is known: set {ENV_JAEGER_URL} to http://HOST:16686")
        from agentos_otel.query.jaeger import Jaeger
        from agentos_otel.query.jaeger_api import JaegerApi

        if self._jaeger is None:
            self._jaeger = Jaeger(JaegerApi(self.jaeger_url))
        return self._jaeger

    def close(self) -> None:
        """Close index, store, journal and the connection to Jaeger."""
        if self._jaeger is not None:
            self._jaeger.api.close()
        if self._journal is not None:
            self._journal.close({"op": "run_end", "run_id": self._journal.run_id, "dropped": 0, "at": time.time_ns()})
        self.index.close()
        self.store.database.close()

    # --- finding ---

    def find(self, identifier: str) -> list[dict[str, Any]]:
        """Return `task_id, what, value` of every id that is `identifier` or begins with it.

        `FILE:LINE` stands for the commit that wrote the line.

        Raises:
            NotFoundError: The prefix is too short; the line is not there, or not committed.
        """
        for lead in leads(identifier):
            if hits := self._find(lead):
                return hits
        return []

    def _find(self, identifier: str) -> list[dict[str, Any]]:
        if len(identifier) < SHORTEST_PREFIX:
            raise NotFoundError(f"{identifier!r} is too short: give at least {SHORTEST_PREFIX} characters of an id")
        hits = self.store.find(identifier)
        if not hits:
            for trace_id, span_id in self.index.find_span(identifier.lower()):
                for hit in self.store.find(trace_id):
                    hits.append({"task_id": hit["task_id"], "what": "span", "value": span_id})
        exact = [hit for hit in hits if hit["value"] == identifier]
        return exact or hits

    def resolve(self, identifier: str) -> str:
        """Return the task id that `identifier` (any id, or a prefix of it) leads to.

        Raises:
            NotFoundError: Nothing has that id.
            AmbiguousError: Several tasks have it.
        """
        hits = self.find(identifier)
        tasks = sorted({hit["task_id"] for hit in hits})
        if not tasks:
            raise NotFoundError(f"no task has the id {identifier!r}: `agentos-otel task list` shows those there are")
        if len(tasks) > 1:
            raise AmbiguousError(
                f"{identifier!r} belongs to {len(tasks)} tasks ({', '.join(tasks[:4])}{', …' if tasks[4:] else ''}): "
                "give more characters, or the task's own id"
            )
        return str(tasks[0])
