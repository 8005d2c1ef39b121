"""This library: `@tool`, journal and task store on, as it is without any set-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from opentelemetry.trace import Tracer

import agentos_otel
from agentos_otel import bootstrap, guard
from agentos_otel.correlation import children, log_journal, logs
from agentos_otel.semconv import SPAN_NAME_PREFIX
from agentos_otel.tracing import runtime as runtimes
from tests.conformance.adapters import Adapter, F, Seen
from tests.unit.conftest import Recorder


class Product(Adapter):
    title = "agentos-otel"
    distribution = "agentos-otel"
    log_field = "trace_id"

    @contextmanager
    def recording(self, directory: Path) -> Iterator[None]:
        guard.raise_failures = True  # a failure of ours fails the fact
        self.recorder = Recorder(directory / "state")
        runtimes.install(self.recorder.runtime)
        try:
            yield
        finally:
            bootstrap.shutdown()
            if self.recorder.runtime.store is not None:
                self.recorder.runtime.store.database.close()
            guard.raise_failures = False

    def traced(self, fn: F, /) -> F:
        return agentos_otel.tool(fn)

    def capturing(self, fn: F, /) -> F:
        return agentos_otel.tool(capture=True)(fn)

    def spans(self) -> list[Seen]:
        if not self.recorder.settings.state_dir.exists():
            return []
        documents = self.recorder.documents()
        found = [span for document in documents for span in document["spans"]]
        ended = [span for span in found if span["status"] not in ("running", "abandoned")]
        names = {span["span_id"]: _name(span["name"]) for span in ended}
        # The root of a task that nobody has ended yet is promised, not written: what hangs under it is outermost.
        outermost = {None, *(attempt["root_span_id"] for document in documents for attempt in document["attempts"])}
        return [
            Seen(
                names[span["span_id"]],
                names.get(span["parent_span_id"], None if span["parent_span_id"] in outermost else "unknown"),
                span["status"],
                span["trace_id"],
                span["span_id"],
                span["attributes"],
            )
            for span in sorted(ended, key=lambda span: span["start_ns"])
        ]

    def inject(self) -> dict[str, str]:
        return dict(agentos_otel.inject())

    @contextmanager
    def extract(self, carrier: Mapping[str, str]) -> Iterator[None]:
        with agentos_otel.extract(carrier):
            yield

    def foreign_tracer(self) -> Tracer:
        from opentelemetry.sdk.trace import TracerProvider

        provider = TracerProvider()  # the host's: we set none
        self.recorder.runtime.join_provider(provider)
        return provider.get_tracer("foreign")

    @contextmanager
    def joined_logs(self) -> Iterator[None]:
        logs.install(log_journal.current, log_journal.keep)
        try:
            yield
        finally:
            logs.uninstall()

    @contextmanager
    def joined_children(self) -> Iterator[None]:
        children.install(bootstrap.child_environment)
        try:
            yield
        finally:
            children.uninstall()


def _name(name: str) -> str:
    for prefix in sorted(SPAN_NAME_PREFIX.values(), key=len, reverse=True):
        name = name.removeprefix(prefix)
    return name
