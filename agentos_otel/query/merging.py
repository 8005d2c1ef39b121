"""Merges tasks that were born while the task store did not answer into the task that they belong to, and splits them.

A stage that finds no store cannot ask whose id it was given, so it bears a task of its own rather than wait. Once the
journals are read it is known who produced that id. Merging is for such births alone: any other task that has an id in
common with another was asked about when it was born.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import Final

from agentos_otel.errors import NotFoundError, TransitionError
from agentos_otel.query.closing import Keeper, close

WINDOW_NS: Final = 24 * 3600 * 10**9
"""As long after the end of a task an id adopts into it (design 3.2)."""


def merge_births(keeper: Keeper) -> int:
    """Merge each birth without a store whose id has its one producer in another task; returns how many.

    The merged task keeps its trace. Its attempt ends once nobody works in it, since nothing will join it any more.
    """
    count = 0
    while pair := _next_pair(keeper):  # asked again each time: a merge changes where the next one leads
        task_id, target = pair
        if not keeper.do({"op": "merge", "task_id": task_id, "target": target}):
            break  # another process has just done it
        count += 1
    for row in keeper.store.rows("merged_waiting"):
        main = keeper.store.latest(row["merged_into"])
        links = [(main["attempt_trace_id"], main["attempt_root_span_id"])] if main else []
        with contextlib.suppress(TransitionError):
            close(keeper, row["task_id"], "completed", at=row["updated_ns"], links=links)
            count += 1
    return count


def _next_pair(keeper: Keeper) -> tuple[str, str] | None:
    targets: dict[str, set[str]] = defaultdict(set)
    for row in keeper.store.rows("born_alone", window=WINDOW_NS):
        targets[row["task_id"]].add(row["target"])
    return next(((task_id, found.pop()) for task_id, found in targets.items() if len(found) == 1), None)


def split(keeper: Keeper, identifier: str) -> str:
    """Undo the merge of the task whose id is or begins with `identifier`, for good; returns the task's id.

    Raises:
        NotFoundError: No merged task, or more than one, has that id.
    """
    found = [row["task_id"] for row in keeper.store.rows("find_merged", low=identifier, high=identifier + "\uffff")]
    if identifier in found:
        found = [identifier]
    if len(found) != 1:
        what = f"{len(found)} merged tasks have" if found else "no merged task has"
        raise NotFoundError(f"{what} the id {identifier!r}: `task show --json` names them in `attempts`")
    keeper.do({"op": "split", "task_id": found[0]})
    return str(found[0])
