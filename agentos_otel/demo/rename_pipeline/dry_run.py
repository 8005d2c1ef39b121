"""Stage `dry_execution`: the rename as a unified diff, with nothing changed."""

from __future__ import annotations

import difflib
import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rename_pipeline import documents, tools
from rename_pipeline.agent import Rename, RenameAgent
from rename_pipeline.documents import Change, Coordination, DryResult
from rename_pipeline.ids import new_id

_LOG: Final = logging.getLogger(__name__)


def run_dry(coordination: Coordination, out: Path) -> DryResult:
    """Have the agent edit each file's text, and write the outcome to `out` and the diff beside it."""
    repo, base = Path(coordination["repo"]), coordination["base"]
    agent = RenameAgent(Rename(coordination["old"], coordination["new"]))
    changes: list[Change] = []
    diff: list[str] = []
    for target in coordination["targets"]:
        path = target["path"]
        before = tools.read_file(repo, path, base)
        after = agent.edit(path, before)
        changes.append(Change(path=path, names=target["names"], sha256=digest(after)))
        diff += _unified(path, before, after)
        _LOG.info("%s: %d names", path, target["names"])
    diff_path = out.absolute().with_suffix(".diff")
    result = DryResult(
        dry_result_id=new_id("dry_result_id"),
        coordinator_run_id=coordination["coordinator_run_id"],
        request=coordination["request"],
        repo=coordination["repo"],
        base=base,
        old=coordination["old"],
        new=coordination["new"],
        changes=changes,
        mentions=sum(target["mentions"] for target in coordination["targets"]),
        collisions=coordination["collisions"],
        diff_path=str(diff_path),
    )
    documents.write(out, result)
    diff_path.write_text("".join(diff), encoding="utf-8", errors="surrogateescape", newline="")
    _LOG.info("dry run %s: %d files would change", result["dry_result_id"], len(changes))
    return result


def digest(text: str) -> str:
    """Return a hash of a text whatever its line ends: a checkout may have others than the commit."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()


def _unified(path: str, before: str, after: str) -> Iterator[str]:
    for line in difflib.unified_diff(_lines(before), _lines(after), f"a/{path}", f"b/{path}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    # Not str.splitlines(): a line of a diff ends at a line feed and nowhere else.
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]
