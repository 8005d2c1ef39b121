"""Through a `QueueHandler`, pickled as between processes, the ids are those of where the line was made."""

from __future__ import annotations

import io
import logging
import logging.handlers
import pickle
import queue
from typing import Any

from tests.conformance.adapters import Adapter


def test_a_queue_and_a_listener(adapter: Adapter, spans: Any) -> None:
    assert adapter.log_field, "the product leaves log records alone"
    records: queue.Queue[Any] = queue.Queue()
    logger = logging.getLogger("host.queue")
    logger.addHandler(handler := logging.handlers.QueueHandler(records))
    target = logging.StreamHandler(text := io.StringIO())
    target.setFormatter(logging.Formatter(f"%({adapter.log_field})s %(message)s"))

    @adapter.traced
    def work() -> None:
        logger.warning("line %d", 1)

    with adapter.joined_logs():
        work()
    logger.removeHandler(handler)
    record = records.get_nowait()
    listener = logging.handlers.QueueListener(records, target)
    listener.start()
    records.put(pickle.loads(pickle.dumps(record)))
    listener.stop()
    assert text.getvalue() == f"{spans()[0].trace_id} line 1\n"
