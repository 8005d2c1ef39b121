"""Stage `intent`: from a sentence to the rename that it asks for."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rename_pipeline import documents, git
from rename_pipeline.documents import Intent
from rename_pipeline.ids import new_id

if TYPE_CHECKING:
    from rename_pipeline.agent import RenameAgent

_LOG: Final = logging.getLogger(__name__)


def build_intent(request: str, repo: Path, out: Path, agent: RenameAgent) -> Intent:
    """Read the request, note where the repository stands, and write the intent to `out`."""
    root = git.top_level(repo)
    base = git.head(root)
    rename = agent.plan(request)
    intent = Intent(
        intent_id=new_id("intent_id"),
        nl_request_id=new_id("nl_request_id"),
        request=request,
        repo=str(root),
        base=base,
        old=rename.old,
        new=rename.new,
    )
    documents.write(out, intent)
    _LOG.info("intent %s: rename %s to %s at %s", intent["intent_id"], rename.old, rename.new, base[:12])
    return intent
