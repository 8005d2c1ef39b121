"""Stages `questions` and `answers`: what the dry run left open, and what shall be done about it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from rename_pipeline import documents
from rename_pipeline.documents import Answer, Answers, DryResult, Question, Questions
from rename_pipeline.ids import new_id

_LOG: Final = logging.getLogger(__name__)
_REASONS: Final = {
    "scope": "that is what was asked for",
    "mentions": "texts may mean something else",
    "collision": "two things would get one name",
}


def ask(dry_result: DryResult, out: Path) -> Questions:
    """Write to `out` what has to be known before anything is changed."""
    old, new = dry_result["old"], dry_result["new"]
    names = sum(change["names"] for change in dry_result["changes"])
    asked = [("scope", f"Rename {old} to {new} at {names} places in {len(dry_result['changes'])} files?")]
    if dry_result["mentions"]:
        asked.append(("mentions", f"Leave {dry_result['mentions']} mentions of {old} in strings and comments?"))
    asked += [("collision", f"{path} has a {new} already. Rename all the same?") for path in dry_result["collisions"]]
    questions = Questions(
        question_pack_id=new_id("question_pack_id"),
        dry_result_id=dry_result["dry_result_id"],
        questions=[
            Question(question=f"q{number}", about=about, text=text) for number, (about, text) in enumerate(asked, 1)
        ],
    )
    documents.write(out, questions)
    _LOG.info("asked %d questions: %s", len(asked), questions["question_pack_id"])
    return questions


def answer(questions: Questions, out: Path, *, yes: bool = False) -> Answers:
    """Write the answers to `out`: no to a collision, else yes.

    Args:
        questions: The questions.
        out: Where the answers go.
        yes: Say yes to everything.
    """
    answers = Answers(
        answer_pack_id=new_id("answer_pack_id"),
        question_pack_id=questions["question_pack_id"],
        dry_result_id=questions["dry_result_id"],
        answers=[
            Answer(
                question=item["question"],
                about=item["about"],
                yes=yes or item["about"] != "collision",
                reason="the user said so" if yes else _REASONS[item["about"]],
            )
            for item in questions["questions"]
        ],
    )
    documents.write(out, answers)
    _LOG.info("answered: %s", answers["answer_pack_id"])
    return answers
