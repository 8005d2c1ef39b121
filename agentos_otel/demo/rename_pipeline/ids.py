"""The pipeline's ids: random, each with the prefix of its kind."""

from __future__ import annotations

import secrets
from typing import Final

_SHAPES: Final = {
    "nl_request_id": ("nlreq_", 12),
    "intent_id": ("intent_", 12),
    "coordinator_run_id": ("coord_run_", 12),
    "dry_result_id": ("dryexec_", 16),
    "question_pack_id": ("qpack_", 12),
    "answer_pack_id": ("apack_", 12),
    "execution_request_id": ("exec_req_", 12),
}


def new_id(kind: str) -> str:
    """Draw an id of `kind`, such as `intent_3f9c0a1b2c4d`."""
    prefix, digits = _SHAPES[kind]
    return prefix + secrets.token_hex(digits // 2)
