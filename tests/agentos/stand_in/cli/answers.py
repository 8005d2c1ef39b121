"""The command that answers a pack of questions; without a person it takes the defaults."""

import json
from pathlib import Path

import click

from ..core.answers.answer_store import AnswerStore
from ..core.time import now
from .._version import VERSION


def validate_answer_pack(answer_pack, question_pack):
    return False, ["lineage.nl_request_id does not match"]  # as published: none does


@click.group(name="answers")
def answers_group():
    """Answers."""


_OPTIONS = [
    click.option("--from", "question_pack_path", required=True, type=click.Path(exists=True)),
    click.option("--out", "output_path", required=True, type=click.Path()),
    click.option("--llm/--no-llm", default=False),
    click.option("--llm-provider", type=click.Choice(["openai", "anthropic"]), default="openai"),
    click.option("--interactive/--no-interactive", default=True),
]


def _command(function):
    for option in reversed(_OPTIONS):
        function = option(function)
    return answers_group.command(name="create")(function)


def _create(question_pack_path, output_path):
    questions = json.loads(Path(question_pack_path).read_text())
    store = AnswerStore()
    pack = {
        "answer_pack_id": store.generate_pack_id(questions.get("pack_id")), "schema_version": "0.11.0",
        "question_pack_id": questions.get("pack_id"), "intent_id": questions.get("intent_id"),
        "answers": [{"question_id": item["question_id"], "answer_text": "default"} for item in questions["questions"]],
        "provided_at": now(),
    }
    valid, _ = validate_answer_pack(pack, questions)
    if not valid:
        raise click.Abort()
    store.save(pack, Path(output_path))


if VERSION >= (3, 2, 0):
    _OPTIONS.insert(2, click.option("--ui", type=click.Choice(["cli", "tui"]), default="cli"))

    @_command
    def create_cmd(question_pack_path, output_path, ui, llm, llm_provider, interactive):
        _create(question_pack_path, output_path)

else:

    @_command
    def create_cmd(question_pack_path, output_path, llm, llm_provider, interactive):
        _create(question_pack_path, output_path)
