"""Through a queue the span goes in a carrier: what the worker does is a child of what sent it."""

from __future__ import annotations

import queue
import threading
from typing import Any

from tests.conformance.adapters import Adapter
from tests.conformance.compare import Decorate, alike


def test_a_queue_between_threads(adapter: Adapter, spans: Any) -> None:
    def scenario(decorate: Decorate) -> list[int]:
        messages: queue.Queue[tuple[dict[str, str], int] | None] = queue.Queue()
        found: list[int] = []

        @decorate
        def handle(number: int) -> int:
            return 2 * number

        @decorate
        def send(number: int) -> None:
            messages.put((adapter.inject(), number))

        def work() -> None:
            while (message := messages.get()) is not None:
                carrier, number = message
                with adapter.extract(carrier):
                    found.append(handle(number))
            found.append(handle(10))

        worker = threading.Thread(target=work)
        worker.start()
        send(1)
        send(2)
        messages.put(None)
        worker.join()
        return found

    assert alike(scenario, adapter.traced) == [2, 4, 20]
    seen = [span for span in spans() if span.name in ("handle", "send")]
    assert sorted((span.name, str(span.parent)) for span in seen) == [
        ("handle", "None"), ("handle", "send"), ("handle", "send"), ("send", "None"), ("send", "None"),
    ]  # fmt: skip
    assert len({span.trace_id for span in seen}) == 3
