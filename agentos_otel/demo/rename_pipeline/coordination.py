"""Stage `coordination`: which files the rename touches, and what stands in its way."""

from __future__ import annotations

import logging
from pathlib import Path, PurePosixPath
from typing import Final

from rename_pipeline import documents, renaming, tools
from rename_pipeline.documents import Coordination, Intent, Target
from rename_pipeline.errors import BadInputError, PipelineError
from rename_pipeline.ids import new_id

_LOG: Final = logging.getLogger(__name__)


def coordinate(intent: Intent, out: Path) -> Coordination:
    """Find the files of the intent's commit that hold the identifier, and write the outcome to `out`.

    Raises:
        BadInputError: No file holds it as an identifier, or it names a module, whose file would have to move.
    """
    repo, base, old, new = Path(intent["repo"]), intent["base"], intent["old"], intent["new"]
    if module := next((path for path in tools.list_files(repo, base) if old in _modules(path)), None):
        raise BadInputError(f"{old} is a module ({module}): this pipeline renames identifiers, not files")
    targets: list[Target] = []
    skipped: list[str] = []
    for path in tools.search_files(repo, base, old):
        source = _source(repo, path, base)
        if source is None:
            skipped.append(path)
        elif names := renaming.count(source, old):
            targets.append(Target(path=path, names=names, mentions=renaming.mentions(source, old)))
    if not targets:
        raise BadInputError(f"{old} is not an identifier in any Python file of {repo} at {base[:12]}")
    changed = {target["path"] for target in targets}
    collisions = [
        path
        for path in tools.search_files(repo, base, new)
        if path in changed and renaming.count(tools.read_file(repo, path, base), new)
    ]
    coordination = Coordination(
        coordinator_run_id=new_id("coordinator_run_id"),
        intent_id=intent["intent_id"],
        request=intent["request"],
        repo=intent["repo"],
        base=base,
        old=old,
        new=new,
        targets=targets,
        collisions=collisions,
        skipped=skipped,
    )
    documents.write(out, coordination)
    if skipped:
        _LOG.warning("left out, because they do not parse: %s", ", ".join(skipped))
    _LOG.info("coordination %s: %d files", coordination["coordinator_run_id"], len(targets))
    return coordination


def _source(repo: Path, path: str, base: str) -> str | None:
    """Return the file's text, or None where it is no Python of this interpreter's."""
    try:
        source = tools.read_file(repo, path, base)
    except PipelineError as error:
        _LOG.info("%s", error)
        return None
    return source if tools.check_syntax(path, source) else None


def _modules(path: str) -> set[str]:
    file = PurePosixPath(path)
    return {*file.parent.parts, file.stem}
