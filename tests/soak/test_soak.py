"""Under load, kills, a collector that comes and goes, a disk that is full once: nothing is lost, nothing twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentos_otel import bootstrap, settings
from agentos_otel.query.document import document

HERE = Path(__file__).parent
SECONDS = float(os.environ.get("SOAK_SECONDS", "30"))
PROCESSES = 8
PAUSE = "0.4"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A state directory on a disk of its own that can be filled; an ordinary one where this user may mount nothing."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = f"size={int(48 + SECONDS * 8)}m"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=False).returncode == 0
    yield folder
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class Soak:
    def __init__(self, folder: Path, disk: Path) -> None:
        self.folder = folder
        self.disk = disk
        self.port = free_port()
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AGENTOS_OTEL_STATE_DIR": str(disk / "state"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
        }
        self.sink = self._start_sink()
        self.workers = [self._start_worker(number) for number in range(PROCESSES)]
        self.bare = self._start(folder / "bare", AGENTOS_OTEL_DISABLED="true")
        self.kills = 0
        self.in_memory: set[tuple[str, ...]] = set()
        """Spans that ended on a full disk, in processes that were killed before there was room."""
        self._sizes: dict[int, int] = {}
        self._room_since = 0.0

    def _start_sink(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, str(HERE / "sink.py"), str(self.port), str(self.folder / "arrived")])

    def _start_worker(self, number: int) -> subprocess.Popen[bytes]:
        return self._start(self._ledger(number))

    def _ledger(self, number: int) -> Path:
        return self.folder / f"ledger.{number}"

    def _start(self, ledger: Path, **more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(HERE / "worker.py"), str(ledger), PAUSE]
        return subprocess.Popen(command, env={**self.environ, **more})

    def kill_one(self, chance: random.Random) -> None:
        """Kill one of the workers but the first, whose memory is watched, and start another in its place."""
        number = chance.randrange(1, PROCESSES)
        worker = self.workers[number]
        worker.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM]))
        worker.wait()
        if self._sizes and (not self._room_since or time.monotonic() - self._room_since < 1):
            text = self._ledger(number).read_bytes()[self._sizes[number] :].decode()
            self.in_memory |= {tuple(line.split()[1:]) for line in text.splitlines() if line.startswith("span")}
        self.workers[number] = self._start_worker(number)
        self.kills += 1

    def kill_sink(self) -> None:
        self.sink.kill()
        self.sink.wait()

    def start_sink(self) -> None:
        self.sink = self._start_sink()

    def fill_disk(self) -> None:
        """Fill the disk, where it is one of its own."""
        if os.path.ismount(self.disk):
            self._sizes = {number: self._ledger(number).stat().st_size for number in range(PROCESSES)}
            with contextlib.suppress(OSError), (self.disk / "ballast").open("wb", buffering=0) as file:
                while True:
                    file.write(b"\0" * (1 << 20))

    def empty_disk(self) -> None:
        (self.disk / "ballast").unlink(missing_ok=True)
        self._room_since = time.monotonic()

    def ledger(self, word: str, files: str = "ledger.*") -> list[list[str]]:
        lines = [line for path in self.folder.glob(files) for line in path.read_text().splitlines()]
        return [line.split()[1:] for line in lines if line.startswith(word)]

    def run(self) -> None:
        """Work for `SECONDS`: a kill a second, the collector away for a while, then the disk full for a while."""
        chance, began = random.Random(7), time.monotonic()
        plan = {0.3: self.kill_sink, 0.5: self.start_sink, 0.7: self.fill_disk, 0.75: self.empty_disk}
        while (passed := (time.monotonic() - began) / SECONDS) < 1:
            time.sleep(1)
            for when in [when for when in plan if when <= passed]:
                plan.pop(when)()
            self.kill_one(chance)
        time.sleep(1)
        self.rate = len(self.ledger("span", "ledger.0")) / len(self.ledger("span", "bare"))
        for worker in (*self.workers, self.bare):
            worker.kill()
            worker.wait()
        command = [sys.executable, "-m", "agentos_otel", "forward", "--once"]
        for _ in range(20):
            if subprocess.run(command, env={**os.environ, **self.environ}, check=False).returncode == 0:
                break
        self.kill_sink()


class Seen:
    """What the index has of a soak, and what the sink."""

    def __init__(self, soak: Soak) -> None:
        self.spans: Counter[tuple[str, ...]] = Counter()
        self.still_open: list[tuple[str, str]] = []
        self.tasks = self.logs = 0
        space = bootstrap.open_workspace(settings.read(soak.environ))
        try:
            space.refresh()
            for row in space.store.rows("list_tasks", status="", session_id="", phase="", since=0, count=10**6):
                self.tasks += 1
                self._take(document(space, row["task_id"]))
            self.dropped = space.index.all_losses()["dropped"]
        finally:
            space.close()
        lines = [line for line in (soak.folder / "arrived").read_text().splitlines() if "task started" not in line]
        self.arrived = Counter(tuple(line.split()[:2]) for line in lines)

    def _take(self, found: dict[str, Any]) -> None:
        self.spans.update((span["trace_id"], span["span_id"]) for span in found["spans"] if span["end_ns"])
        self.still_open += [(span["run_id"], span["name"]) for span in found["spans"] if not span["end_ns"]]
        self.logs += len(found["logs"])


def test_nothing_whose_end_was_reached_is_lost_and_nothing_comes_twice(tmp_path: Path, small_disk: Path) -> None:
    soak = Soak(tmp_path, small_disk)
    soak.run()
    seen = Seen(soak)
    ended = {(trace_id, span_id) for trace_id, span_id in soak.ledger("span")}
    lost, unsent = ended - seen.spans.keys(), seen.spans.keys() - seen.arrived.keys()
    memory = [float(value) for (value,) in soak.ledger("memory", "ledger.0")]
    begun = memory[len(memory) // 4]
    print(
        f"{SECONDS:.0f} s, {soak.kills} kills, work done x{soak.rate:.3f} of an untraced process's\n"
        f"{seen.tasks} tasks, {len(ended)} spans ended, {seen.logs} log records; dropped {seen.dropped}\n"
        f"not in the index {len(lost)}, in processes killed while the disk was full {len(soak.in_memory)}\n"
        f"twice in the index {sum(count > 1 for count in seen.spans.values())}, not at the sink {len(unsent)}, "
        f"resent {sum(count - 1 for count in seen.arrived.values())}\nmemory {begun:.1f} -> {memory[-1]:.1f} MB"
    )
    assert lost <= soak.in_memory
    assert not seen.dropped
    assert max(seen.spans.values()) == 1
    assert not unsent
    assert not seen.still_open, "what a killed worker left open is abandoned, and a root that found no room is written"
    assert soak.rate > 0.8
    assert memory[-1] - begun < 10
