"""At exit the forwarder is waited for at most a second, and only where that can bring something."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest

from agentos_otel.export import background
from agentos_otel.export.background import EXIT_WAIT_S, SHORT_LIFE_S, BackgroundForwarder
from agentos_otel.export.forwarder import Forwarder, Progress


class Hanging:
    """A forwarder whose server takes requests and never answers, after a first try that fails or not."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails
        self.tried, self.free = threading.Event(), threading.Event()

    def pump(self, *, thorough: bool) -> Progress:
        if thorough:
            self.free.wait()
        self.tried.set()
        return Progress(sent=0, failed="no answer" if self.fails else "", wait=0.0)

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("fails", "task_ended", "old", "waited"),
    [
        (False, True, False, [EXIT_WAIT_S]),
        (False, False, True, [EXIT_WAIT_S]),
        (False, False, False, []),
        (True, True, True, []),
    ],
)
def test_an_exit_waits_a_second_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool, task_ended: bool, old: bool, waited: list[float]
) -> None:
    monkeypatch.setattr(background, "INTERVAL_S", 0.01)
    hanging = Hanging(fails=fails)
    forwarder = BackgroundForwarder(lambda: cast("Forwarder", hanging), tmp_path)
    forwarder.start()
    assert hanging.tried.wait(10)
    while forwarder._failing != fails:
        time.sleep(0.001)
    forwarder._began -= SHORT_LIFE_S if old else 0
    joins: list[Any] = []
    monkeypatch.setattr(threading.Thread, "join", lambda thread, timeout=None: joins.append(timeout))
    forwarder.finish(task_ended=task_ended)
    hanging.free.set()
    assert joins == waited
    assert EXIT_WAIT_S <= 1
