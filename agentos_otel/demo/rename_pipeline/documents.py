"""The JSON documents that one stage hands to the next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from rename_pipeline.errors import BadInputError


class Intent(TypedDict):
    """What the user asked for."""

    intent_id: str
    nl_request_id: str
    request: str
    repo: str
    base: str
    old: str
    new: str


class Target(TypedDict):
    """One file that holds the identifier."""

    path: str
    names: int
    mentions: int


class Coordination(TypedDict):
    """Where the work lies."""

    coordinator_run_id: str
    intent_id: str
    request: str
    repo: str
    base: str
    old: str
    new: str
    targets: list[Target]
    collisions: list[str]
    skipped: list[str]


class Change(TypedDict):
    """One file as the dry run would leave it."""

    path: str
    names: int
    sha256: str


class DryResult(TypedDict):
    """What the change would be."""

    dry_result_id: str
    coordinator_run_id: str
    request: str
    repo: str
    base: str
    old: str
    new: str
    changes: list[Change]
    mentions: int
    collisions: list[str]
    diff_path: str


class Question(TypedDict):
    """Something the dry run left open; `about` is scope, mentions or collision."""

    question: str
    about: str
    text: str


class Questions(TypedDict):
    """All questions about one dry run."""

    question_pack_id: str
    dry_result_id: str
    questions: list[Question]


class Answer(TypedDict):
    """The answer to one question."""

    question: str
    about: str
    yes: bool
    reason: str


class Answers(TypedDict):
    """All answers to one pack of questions."""

    answer_pack_id: str
    question_pack_id: str
    dry_result_id: str
    answers: list[Answer]


class TestRun(TypedDict):
    """One run of the repository's tests."""

    passed: bool
    ran: int
    exit_code: int
    output: str


class Execution(TypedDict):
    """What became of it; `status` is committed, refused or failed."""

    execution_request_id: str
    dry_result_id: str
    answer_pack_id: str
    status: str
    reason: str
    branch: str
    commit: str
    tests_before: TestRun | None
    tests_after: TestRun | None


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document where the user asked for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read(path: Path, shape: type[Any]) -> Any:
    """Return the document in `path`, checked to have the keys of `shape`.

    Raises:
        BadInputError: There is no such file, or it is not what that stage writes.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise BadInputError(f"{path} is not JSON") from error
    missing = [key for key in shape.__required_keys__ if not isinstance(document, dict) or key not in document]
    if missing:
        raise BadInputError(f"{path} holds no {shape.__name__}: {', '.join(sorted(missing))} missing")
    return document
