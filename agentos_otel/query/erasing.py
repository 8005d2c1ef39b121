"""Erases one task's content from the journals and the store, and says where copies remain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentos_otel.export.claim import FILE
from agentos_otel.journal import reader
from agentos_otel.journal.record import STATEMENT

if TYPE_CHECKING:
    from agentos_otel.query.workspace import Workspace


def erase(workspace: Workspace, task_id: str) -> dict[str, Any]:
    """Overwrite the records of a task, and of those merged into it; returns their number and the copies left.

    What a run wrote about a task beside its spans and logs (ids, artifacts: statements) is erased too. A program that
    still works for the task goes on writing: close the task first.

    Raises:
        NotFoundError: There is no such task.
    """
    store = workspace.store
    store.task(task_id)
    commits = store.rows("list_commits", task_id=task_id)
    merged = [erase(workspace, row["task_id"]) for row in store.rows("merged_from", task_id=task_id)]
    count = sum(each["records"] for each in merged)
    for attempt in store.rows("list_attempts", task_id=task_id):
        for places in workspace.index.places(attempt["trace_id"]):
            for offset, size, _ in places.records:
                reader.overwrite(places.path, places.base + offset, size)
                count += 1
        workspace.index.forget(attempt["trace_id"])
    for path, _ in workspace.index.listing():
        for record in reader.find_records(workspace.journal_dir / path, f'"task_id":"{task_id}"'.encode()):
            if record.field == STATEMENT:
                reader.overwrite(workspace.journal_dir / path, record.offset, record.size)
                count += 1
    with store.database.transaction() as tx:
        for query in ("erase_refs", "erase_agents", "erase_artifacts", "erase_commits", "erase_runs", "erase_attempts"):
            tx.run(query, task_id=task_id)
        tx.run("erase_task", task_id=task_id)
    copies = [copy for each in merged for copy in each["copies"]]
    copies += [f"trailers of commit {commit['sha'][:12]} in {commit['repository']}" for commit in commits]
    if (workspace.state_dir / FILE).exists():
        copies.append("what was sent to an OTLP endpoint")
    return {"records": count, "copies": copies}
