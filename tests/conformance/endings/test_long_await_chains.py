"""A chain of 3,000 awaits, each inside the one before, works where the bare one does."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from tests.conformance.compare import Decorate, alike

DEPTH = 3000


def test_a_chain_of_awaits(traced: Decorate, spans: Any) -> None:
    def scenario(decorate: Decorate) -> Any:
        @decorate
        async def count(number: int) -> int:
            if number == 0:
                await asyncio.sleep(0)
                return 0
            return 1 + await count(number - 1)

        found: list[int] = []
        limit, size = sys.getrecursionlimit(), threading.stack_size(512 << 20)
        sys.setrecursionlimit(20 * DEPTH)
        try:
            thread = threading.Thread(target=lambda: found.append(asyncio.run(count(DEPTH))))
            thread.start()
            thread.join()
        finally:
            sys.setrecursionlimit(limit)
            threading.stack_size(size)
        return found

    assert alike(scenario, traced) == [DEPTH]
    assert len(spans()) == DEPTH + 1
