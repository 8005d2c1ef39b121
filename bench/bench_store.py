"""Measures what design 4 and issue 6 ask of the index, at 10^5, 10^6 and 10^7 spans; asserts nothing.

Ratios do not apply: the figures should be within the goals, and flat from the first size to the last. CPU time stands
beside the clock's, since a shared machine stretches the latter.

    python bench/bench_store.py [SPANS ...]
"""

from __future__ import annotations

import fcntl
import random
import resource
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from journals import SPANS, finished_runs, live_runs, write_runs

from agentos_otel.journal.scanning import ids_of
from agentos_otel.query.workspace import Workspace
from agentos_otel.store import day_files
from agentos_otel.tasks.database import open_database
from agentos_otel.tasks.store import TaskStore

ROUNDS = 500


def loop_ns() -> float:
    """Return what one turn of a plain loop takes of CPU now: 30 ns is this class of machine undisturbed."""
    took = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(100_000):
            pass
        took.append(time.process_time() - began)
    return statistics.median(took) * 1e4


def show(name: str, value: str, goal: str = "") -> None:
    """Print one figure."""
    print(f"  {name:<46} {value:<48} {f'goal {goal}' if goal else ''}", flush=True)


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Return the seconds of a call by the clock, and of CPU."""
    clock, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - clock, time.process_time() - cpu


def median_ms(call: Callable[[Any], Any], values: Iterable[Any]) -> str:
    """Return the median of calls by the clock, their 99th percentile, and the median of their CPU, in milliseconds."""
    clock, cpu = zip(*(timed(lambda value=value: call(value)) for value in values), strict=True)
    p99 = sorted(clock)[int(len(clock) * 0.99)]
    return f"{statistics.median(clock) * 1e3:.3f} ms (p99 {p99 * 1e3:.3f}; CPU {statistics.median(cpu) * 1e3:.3f})"


def open_workspace(folder: Path) -> Workspace:
    """Return a workspace on a state directory of the benchmark's own."""
    folder.mkdir(exist_ok=True)
    return Workspace(folder, "h", TaskStore(open_database(f"sqlite:///{folder / 'tasks.db'}", 60)))


def fill_tasks(path: Path, traces: list[str]) -> None:
    """Write the rows of tasks as the runs would have done."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    numbered = [{"task": f"{n:020x}", "trace": trace_id, "at": n} for n, trace_id in enumerate(traces)]
    connection.executemany(
        "INSERT INTO tasks (task_id, session_id, name, status, created_ns, updated_ns, ended_ns, attempt, trace_id) "
        "VALUES (:task, 'auto_' || :task, 'x', 'completed', :at, :at, :at, 1, :trace)",
        numbered,
    )
    connection.executemany(
        "INSERT INTO task_attempts (task_id, attempt, trace_id, root_span_id, root_name, started_ns, ended_ns, status) "
        "VALUES (:task, 1, :trace, substr(:trace, 1, 16), 'task x', :at, :at, 'completed')",
        numbered,
    )
    connection.executemany(
        "INSERT INTO task_refs (task_id, kind, value, role, seen_ns) "
        "VALUES (:task, 'intent_id', 'intent_' || :trace, 'produced', :at)",
        numbered,
    )
    connection.execute("COMMIT")
    connection.close()


def measure(spans: int, folder: Path) -> None:
    """Ingest `spans` spans, and ask for what users ask for."""
    print(f"{spans:,} spans of {spans // SPANS:,} tasks")
    space = open_workspace(folder)
    identity = space.store.identity()
    traces = write_runs(space.journal_dir / "live/h", spans, seed=1, told=identity)
    fill_tasks(folder / "tasks.db", traces)
    files = [path for path, _ in space.index.listing()]
    loop = loop_ns()
    clock, cpu = timed(lambda: space.index.read(files, space.index.know_store()))
    figure = f"{spans / clock:,.0f} spans/s ({cpu / spans * 1e6:.1f} us CPU, loop {(loop + loop_ns()) / 2:.0f} ns)"
    show("ingest", figure, ">= 50,000 spans/s")
    clock, _ = timed(space.index.catch_up)
    show("the task store told of the agents in them", f"{spans // SPANS // 10 / clock:,.0f} agents/s")
    size = sum(path.stat().st_size for path in folder.glob("index.db*"))
    show("index", f"{size / spans:.0f} bytes/span", "<= 300")
    questions(space, traces)
    clock, _ = timed(lambda: day_files.merge(space.index, lambda path: True, at_least=1))
    show("finished runs moved into day files", f"{spans / clock:,.0f} spans/s")
    show("files then", str(sum(1 for _ in space.index.listing())))
    show("one task, from a day file", median_ms(lambda task: records(space, task), sample(traces)), "<= 0.2 ms")
    space.close()


def sample(traces: list[str]) -> list[str]:
    """Return the keys of some tasks."""
    dice = random.Random(2)  # noqa: S311 - the same tasks again
    return [f"{dice.randrange(len(traces)):020x}" for _ in range(ROUNDS)]


def records(space: Workspace, task_id: str) -> list[Any]:
    """Return the records of a task, bodies and all."""
    attempts = space.store.rows("list_attempts", task_id=task_id)
    found = [record for attempt in attempts for record in space.index.trace_records(attempt["trace_id"])]
    assert len(found) == SPANS + 3  # noqa: S101 - a figure for nothing would look good
    return found


def questions(space: Workspace, traces: list[str]) -> None:
    """Ask for tasks, pages, ids and spans."""
    some = sample(traces)
    filters = {"status": "", "session_id": "", "phase": "", "since": 0, "count": 20}
    show("one task: its records, by task id", median_ms(lambda task: records(space, task), some), "<= 0.2 ms")
    show("… of this, where they lie", median_ms(lambda task: space.index.places(traces[int(task, 16)]), some))

    def page(**chosen: Any) -> str:
        return median_ms(lambda _: space.store.rows("list_tasks", **{**filters, **chosen}), range(20))

    show("task list page", page(), "<= 5 ms")
    show("task list page, of a status that no task has", page(status="waiting"), "<= 5 ms")
    show("task list page, of one session", page(session_id=f"auto_{some[0]}"), "<= 5 ms")
    show(
        "find: an id of the pipeline", median_ms(lambda task: space.find(f"intent_{traces[int(task, 16)]}"), some[:50])
    )
    first = next(iter(space.index.trace_records(traces[-1])))
    span_id = ids_of(first.field, first.body)[0][1].hex()
    show("find: a span id", median_ms(lambda _: space.index.find_span(span_id), range(50)))
    show("catch-up, nothing new", median_ms(lambda _: space.index.catch_up(), range(5)))


def measure_live_files(folder: Path, files: int = 10_000) -> None:
    """Catch up beside ten thousand files that processes have open."""
    print(f"{files:,} live files")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if limit < files + 100:
        print(f"  not measured: this process may open {limit} files")
        return
    space = open_workspace(folder)
    grow = live_runs(space.journal_dir / "live/h", files, told=space.store.identity())
    locks = [path.open("rb") for path in (space.journal_dir / "live/h").iterdir()]
    for file in locks:
        fcntl.flock(file, fcntl.LOCK_EX)  # as their writers hold them
    clock, _ = timed(space.index.catch_up)
    show("first look", f"{clock:.2f} s")
    show("catch-up, nothing new", median_ms(lambda _: space.index.catch_up(), range(7)), "<= 300 ms")
    show("catch-up, 100 have grown", median_ms(lambda _: (grow(100), space.index.catch_up()), range(7)), "<= 300 ms")
    show("the whole refresh of a command, nothing new", median_ms(lambda _: space.refresh(), range(5)))
    for file in locks:
        file.close()
    space.close()


def measure_finished(folder: Path, processes: int = 100_000) -> None:
    """Look for the first time at what many processes have left."""
    print(f"{processes:,} finished processes")
    space = open_workspace(folder)
    finished_runs(space.journal_dir / "live/h", processes, told=space.store.identity())
    clock, cpu = timed(space.refresh)
    show("the first command: read, told, put together", f"{clock:.1f} s ({cpu / processes * 1e6:.0f} us CPU each)")
    show("files then", str(sum(1 for _ in space.index.listing())), "<= a few hundred")
    show("the next refresh, nothing new", median_ms(lambda _: space.refresh(), range(5)))
    space.close()


def measure_unsaid(folder: Path, tasks: int = 2_000) -> None:
    """Tell the task store what runs could not tell it."""
    print(f"{tasks:,} tasks that the task store was not told of")
    space = open_workspace(folder)
    write_runs(space.journal_dir / "live/h", tasks * SPANS, seed=3, told=None)
    clock, cpu = timed(space.index.catch_up)
    show("ingest, and told", f"{tasks / clock:,.0f} tasks/s ({cpu / tasks * 1e6:.0f} us CPU)")
    space.close()


def main() -> None:
    """Measure all sizes, each in a directory of its own."""
    sizes = [int(float(text)) for text in sys.argv[1:]] or [10**5, 10**6, 10**7]
    steps: list[Callable[[Path], None]] = [lambda folder, size=size: measure(size, folder) for size in sizes]  # type: ignore[misc]
    for step in (*steps, measure_live_files, measure_finished, measure_unsaid):
        folder = Path(tempfile.mkdtemp(prefix="bench-store-"))
        try:
            step(folder)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
