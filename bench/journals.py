"""Makes the journals of many finished runs, as fast as bytes can be put together, for `bench_store.py`."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agentos_otel import semconv
from agentos_otel.journal import encoding
from agentos_otel.journal.record import ENDED_SPAN, STARTED_SPAN, STATEMENT, frame

SPANS = 10
"""Of one task: its root, a stage, a tool (in each tenth task an agent's call), and seven tools below it."""
TASKS = 1000
"""Of one run."""
EPOCH = 1_760_000_000 * 10**9


def write_runs(folder: Path, spans: int, seed: int, told: int | None) -> list[str]:
    """Write runs with `spans` spans together; returns the trace ids of their tasks, in the order of their keys.

    Args:
        folder: `…/journal/live/<host>`.
        spans: How many.
        seed: Of the ids.
        told: Identity of the task store that the runs say they told everything.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(seed)  # noqa: S311 - the same ids again
    traces: list[str] = []
    number = 0
    while number * SPANS < spans:
        run_id = f"{dice.getrandbits(64):016x}"
        tasks = min(TASKS, spans // SPANS - number)
        with (folder / f"{run_id}.otlp").open("wb", buffering=1 << 20) as file:
            for _ in range(tasks):
                trace_id = dice.randbytes(16)
                traces.append(trace_id.hex())
                file.write(b"".join(_task(run_id, trace_id, number, dice, told)))
                number += 1
            end = {"op": "run_end", "run_id": run_id, "dropped": 0, "at": EPOCH + number}
            file.write(frame(STATEMENT, encoding.json_bytes(end)))
    return traces


def live_runs(folder: Path, count: int, told: int | None) -> Callable[[int], None]:
    """Write `count` runs that have not ended; returns what lets a number of them grow by a task each."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(count)  # noqa: S311 - the same ids again
    paths = [folder / f"{dice.getrandbits(64):016x}.otlp" for _ in range(count)]

    def grow(number: int) -> None:
        for path in dice.sample(paths, number):
            with path.open("ab") as file:
                file.write(b"".join(_task(path.stem, dice.randbytes(16), dice.getrandbits(32), dice, told)))

    grow(count)
    return grow


def finished_runs(folder: Path, count: int, told: int | None) -> None:
    """Write `count` runs of one task each that have ended."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(count)  # noqa: S311 - the same ids again
    for number in range(count):
        run_id = f"{number:016x}"
        end = frame(STATEMENT, encoding.json_bytes({"op": "run_end", "run_id": run_id, "at": EPOCH + number}))
        with (folder / f"{run_id}.otlp").open("wb") as file:
            file.write(b"".join((*_task(run_id, dice.randbytes(16), number, dice, told), end)))


def _task(run_id: str, trace_id: bytes, number: int, dice: random.Random, told: int | None) -> Iterator[bytes]:
    """Yield the records of one task as the library writes them."""
    note = frame(STATEMENT, encoding.json_bytes({"op": "told", "store": told})) if told is not None else b""
    at = EPOCH + number * 1000
    task_id = f"{number:020x}"
    encoder = _encoder(run_id)
    shared = encoding.attributes({semconv.TASK_ID: task_id, semconv.SESSION_ID: f"auto_{task_id}"})
    ids = [dice.randbytes(8) for _ in range(SPANS)]
    statements: list[dict[str, Any]] = [
        {"op": "task", "task_id": task_id, "session_id": f"auto_{task_id}", "name": "x", "owner_run": run_id, "at": at},
        {"op": "attempt", "task_id": task_id, "attempt": 1, "trace_id": trace_id.hex(), "root_name": "task x",
         "root_span_id": ids[0].hex(), "owner_run": run_id, "sampled": True, "at": at},
        {"op": "join", "run_id": run_id, "task_id": task_id, "attempt": 1, "host": "h", "pid": 1, "at": at},
        {"op": "state", "task_id": task_id, "status": "executing", "at": at},
        {"op": "end", "task_id": task_id, "attempt": 1, "status": "completed", "run_id": run_id, "at": at + 20,
         "root_span_id": ids[0].hex()},
        {"op": "leave", "run_id": run_id, "task_id": task_id, "attempt": 1, "at": at + 30},
    ]  # fmt: skip

    def span(field: int, place: int, end: int) -> bytes:
        parent = ids[min(place - 1, 2)] if place else b""
        head = encoding.head(trace_id, ids[place], parent, _NAMES[place], at + place, end)
        parts = _AGENT if place == 2 and number % 10 == 0 else _PARTS[place]
        return encoder.record(field, [head, shared, parts])

    yield from (span(STARTED_SPAN, place, 0) for place in range(3))
    yield from (frame(STATEMENT, encoding.json_bytes(said)) for said in statements[:4])
    yield note
    yield from (span(ENDED_SPAN, place, at + 20 + place) for place in reversed(range(SPANS)))
    yield from (frame(STATEMENT, encoding.json_bytes(said)) for said in statements[4:])
    yield note


def _encoder(run_id: str) -> encoding.SpanEncoder:
    if run_id not in _ENCODERS:
        _ENCODERS.clear()
        _ENCODERS[run_id] = encoding.SpanEncoder(
            {"service.name": "bench", "service.instance.id": run_id, "process.pid": os.getpid(), "host.name": "h"}
        )
    return _ENCODERS[run_id]


_ENCODERS: dict[str, encoding.SpanEncoder] = {}
_KINDS = ["task", "stage", *["tool"] * (SPANS - 2)]
_NAMES = [encoding.name(f"{semconv.SPAN_NAME_PREFIX[kind]}x", 1) for kind in _KINDS]


def _attributes(kind: str) -> bytes:
    return encoding.attributes(
        {
            semconv.AGENTOS_TASK_ATTEMPT: 1,
            semconv.AGENTOS_KIND: kind,
            semconv.GEN_AI_OPERATION_NAME: semconv.OPERATION_EXECUTE_TOOL,
            semconv.GEN_AI_TOOL_NAME: "x",
            semconv.CODE_FUNCTION_NAME: "bench.journals.x",
            **{f"bench.attribute_{number}": number for number in range(4)},
        }
    )


_PARTS = [_attributes(kind) for kind in _KINDS]
_AGENT = _attributes("agent")
