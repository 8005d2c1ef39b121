"""What a call costs with one product, as ratios to the reference in the same process; prints one JSON object.

    python calls.py ADAPTER            sync, async, async generator, twelve attributes, payload
    python calls.py ADAPTER --rss N    by how much N spans make the process grow, in MB

A batch of the product and one of the reference follow each other, and the CPU time of the thread counts: a machine that
changes its speed changes both, and what other programs take from it counts for nobody.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
CALLS = 500
ROUNDS = 31
ATTRIBUTES = {
    "agent.name": "planner", "stage": "plan", "gen_ai.system": "x", "gen_ai.request.model": "model-x-large-2026",
    "in": 1234, "out": 567, "cost": 0.0123, "retry": 0, "code.function": "pipeline.stages.plan", "host": "worker-01",
    "kind": "task-0123456789", "turn": "sess-0123456789",
}  # fmt: skip
PAYLOAD = {
    "task": "summarise",
    "messages": [{"role": "user", "content": f"lorem ipsum dolor sit amet {n} " * 30, "n": n} for n in range(10)],
    "meta": {f"k{n}": n * 1.5 for n in range(40)},
}
PAYLOAD["pad"] = "x" * (10240 - len(json.dumps(PAYLOAD)))


def bare(x: Any) -> Any:
    """Do the work of a call: next to none."""
    return x


async def bare_async(x: Any) -> Any:
    """Do the same as a coroutine."""
    return x


async def bare_async_generator(x: Any) -> AsyncIterator[Any]:
    """Do the same as an async generator of three items."""
    yield x
    yield x
    yield x


def batch(root: Callable[..., Any], child: Callable[..., Any], argument: Any = 1) -> Callable[[], float]:
    """Return what runs one pipeline of `CALLS` calls and returns the microseconds of a call."""

    def pipeline() -> float:
        began = time.thread_time()
        for _ in range(CALLS):
            child(argument)
        return (time.thread_time() - began) / CALLS * 1e6

    return root(pipeline)  # type: ignore[no-any-return]


def batch_async(root: Callable[..., Any], child: Callable[..., Any]) -> Callable[[], float]:
    """Return the same for a coroutine function."""

    async def loop() -> float:
        began = time.thread_time()
        for _ in range(CALLS):
            await child(1)
        return (time.thread_time() - began) / CALLS * 1e6

    return root(lambda: asyncio.run(loop()))  # type: ignore[no-any-return]


def batch_async_generator(root: Callable[..., Any], child: Callable[..., Any]) -> Callable[[], float]:
    """Return the same for an async generator function."""

    async def loop() -> float:
        began = time.thread_time()
        for _ in range(CALLS):
            async for _ in child(1):
                pass
        return (time.thread_time() - began) / CALLS * 1e6

    return root(lambda: asyncio.run(loop()))  # type: ignore[no-any-return]


def compare(
    ours: Callable[[], float],
    reference: Callable[[], float],
    undecorated: Callable[[], float],
    flush: Callable[[], Any],
) -> dict[str, float]:
    """Return microseconds a call of both sides without the call's own work, and the median of their ratio."""
    ours(), reference()
    pairs = []
    for _ in range(ROUNDS):
        base = undecorated()
        pairs.append((ours() - base, reference() - base))
        flush()
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return {"us": round(mine, 2), "reference_us": round(theirs, 2), "ratio": round(ratio, 3)}


def resident() -> float:
    """Return the resident memory of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def growth(adapter: Any, spans: int) -> dict[str, float]:
    """Return by how much `spans` spans make the process grow, after a first batch."""
    run = batch(adapter.root, adapter.child(bare))
    run()
    before = resident()
    for _ in range(spans // CALLS):
        run()
    return {"spans": spans, "grown_mb": round(resident() - before, 1)}


def main() -> None:
    """Measure one adapter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("adapter")
    parser.add_argument("--rss", type=int, default=0)
    given = parser.parse_args()
    adapter = importlib.import_module(f"adapters.{given.adapter}")  # named as the product, which they import
    if given.rss:
        print(json.dumps(growth(adapter, given.rss)))
        return
    import reference

    flush = getattr(adapter, "flush", lambda: None)
    plain = batch(lambda fn: fn, bare)
    root, there = adapter.root, reference.root
    found = {"sync": compare(batch(root, adapter.child(bare)), batch(there, reference.child(bare)), plain, flush)}
    found["async"] = compare(
        batch_async(root, adapter.child_async(bare_async)), batch_async(there, reference.child_async(bare_async)),
        batch_async(lambda fn: fn, bare_async), flush,
    )  # fmt: skip
    found["async generator"] = compare(
        batch_async_generator(root, adapter.child_async_generator(bare_async_generator)),
        batch_async_generator(there, reference.child_async_generator(bare_async_generator)),
        batch_async_generator(lambda fn: fn, bare_async_generator), flush,
    )  # fmt: skip
    if hasattr(adapter, "child_with_attributes"):
        found["12 attributes"] = compare(
            batch(root, adapter.child_with_attributes(bare, ATTRIBUTES)),
            batch(there, reference.child_with_attributes(bare, ATTRIBUTES)), plain, flush,
        )  # fmt: skip
    if hasattr(adapter, "child_with_payload"):
        found["10 KB in, 10 KB out"] = compare(
            batch(root, adapter.child_with_payload(bare), PAYLOAD),
            batch(there, reference.child_with_payload(bare), PAYLOAD), plain, flush,
        )  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main()
