"""What fuzzing begins with: the journal of a traced run, taken apart, and texts as users and git write them."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Final

from agentos_otel import bootstrap, stage, task, tool
from agentos_otel.correlation import log_journal, logs
from agentos_otel.correlation.trailers import Identity, stamp
from agentos_otel.instrumentation import shipped
from agentos_otel.journal import reader
from agentos_otel.journal.record import LOG_RECORD, STATEMENT
from agentos_otel.settings import Settings
from agentos_otel.tracing import runtime as runtimes
from agentos_otel.tracing.carriers import inject
from tests.fuzz.whole_store import pack

_IDENTITY: Final = Identity("task0001", "session0001", "ab" * 16)


def _traced_run() -> tuple[bytes, str, list[bytes]]:
    """Return the journal of a run, a `traceparent` that it gave to a child, and its task files."""
    state_dir = Path(tempfile.mkdtemp(prefix="fuzz-seeds-"))
    runtime = bootstrap.build_runtime(Settings(state_dir, f"sqlite:///{state_dir / 'tasks.db'}"), {})
    runtimes.install(runtime)
    logs.install(log_journal.current, log_journal.keep)

    logger = logging.getLogger("tests.fuzz.host")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False

    @tool(capture=True)
    def divide(number: float, by: list[int]) -> float:
        return number / by[0]

    @stage
    def plan(text: str) -> dict[str, object]:
        logger.warning("planning %s", text)
        return {"numbers": [1, 2.5, divide(1.0, [4])], "text": text * 100}

    carrier: dict[str, str] = {}
    with task("work"):
        plan("ünïcode")
        inject(carrier)
        try:
            divide(1.0, [0])
        except ZeroDivisionError:
            logger.exception("divided")
    runtime.journal.close({"op": "run_end", "run_id": runtime.run_id, "dropped": 0, "at": 0})
    logs.uninstall()
    runtimes.install(None)
    journal = b"".join(path.read_bytes() for path in sorted(state_dir.rglob("*.otlp")))
    task_files = [path.read_bytes() for path in (state_dir / "current").glob("*") if path.is_file()]
    return journal, carrier["TRACEPARENT"], task_files


def seeds() -> dict[str, list[bytes]]:
    """Return the first inputs of each target, by its name."""
    journal, traceparent, task_files = _traced_run()
    records = [(record.field, record.body) for record in reader.parse(journal).records]
    bodies = [body for _, body in records]
    of_spans = [body for field, body in records if field not in (STATEMENT, LOG_RECORD)]
    messages = ["Subject", "Subject\n\nBody.\n\nSigned-off-by: A <a@b>\n", "S\n\n---\nnotes\n\ndiff --git a b\n"]
    maps = [(shipped.MAPS / "mini_swe_agent.toml").read_bytes(), _SMALL_MAP]
    return {
        "reader": [journal[:1500], journal[-1500:], journal[100:700]],
        "decode": bodies,
        "scanning": bodies,
        "fold": of_spans,
        "trailers": [text.encode() for message in messages for text in (message, stamp(message, _IDENTITY))],
        "ids": [traceparent.encode(), b"intent_0123456789", *task_files],
        "map": [*maps, *(b"[tool.agentos_otel]\n" + text for text in maps)],
        "store": [pack(records), *(pack([record]) for record in records)],
    }


_SMALL_MAP: Final = b"""\
name = "host"
packages = ["old", "new"]

[host_tasks]
database = [".db:open"]
table = "tasks"
key = "id"
ended = { done = "completed" }

[[point]]
target = ".core:Builder.build"
kind = "stage"
produces = { intent_id = ["result.id", "result.other"] }
failed = { "result.status" = ["failed"], "result" = ["<none>"] }
attributes = { "a.b" = [1, 2], c = '''x''' }
rewrites = { file = "{a.b}/x", old = "old", new = "result" }
"""
