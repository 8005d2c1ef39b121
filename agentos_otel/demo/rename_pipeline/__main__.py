"""The pipeline's command line: each stage a process that reads and writes JSON files and prints the ids it made."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from rename_pipeline import documents
from rename_pipeline.documents import Answers, Coordination, DryResult, Intent, Questions
from rename_pipeline.errors import PipelineError

Outcome = tuple[Mapping[str, Any], tuple[str, ...]]
"""What a stage made, and the keys to print."""


def _intent(given: argparse.Namespace) -> Outcome:
    from rename_pipeline.agent import RenameAgent
    from rename_pipeline.intent import build_intent

    agent = RenameAgent(model_name=given.model)
    return build_intent(given.request, given.repo, given.out, agent), ("nl_request_id", "intent_id")


def _coordinate(given: argparse.Namespace) -> Outcome:
    from rename_pipeline.coordination import coordinate

    return coordinate(documents.read(given.intent, Intent), given.out), ("coordinator_run_id",)


def _dry_run(given: argparse.Namespace) -> Outcome:
    from rename_pipeline.dry_run import run_dry

    return run_dry(documents.read(given.coordination, Coordination), given.out), ("dry_result_id",)


def _ask(given: argparse.Namespace) -> Outcome:
    from rename_pipeline.questions import ask

    return ask(documents.read(given.dry_result, DryResult), given.out), ("question_pack_id",)


def _answer(given: argparse.Namespace) -> Outcome:
    from rename_pipeline.questions import answer

    return answer(documents.read(given.questions, Questions), given.out, yes=given.yes), ("answer_pack_id",)


def _execute(given: argparse.Namespace) -> Outcome:
    from rename_pipeline.agent import RenameAgent
    from rename_pipeline.execution import execute

    dry_result, answers = documents.read(given.dry_result, DryResult), documents.read(given.answers, Answers)
    agent = RenameAgent(model_name=given.model)
    execution = execute(dry_result, answers, given.out, agent, shlex.split(given.test_command))
    return execution, ("execution_request_id", *(("branch", "commit") if execution["commit"] else ()))


def _sample(given: argparse.Namespace) -> Outcome:
    from rename_pipeline.sample import make_sample

    return {"commit": make_sample(given.out)}, ("commit",)


_File = tuple[str, str]
_STAGES: Final[Mapping[str, tuple[Callable[[argparse.Namespace], Outcome], str, tuple[_File, ...]]]] = {
    "intent": (_intent, "read a request", (("--repo", "the git repository"),)),
    "coordinate": (_coordinate, "find the files it touches", (("--intent", "from intent"),)),
    "dry-run": (_dry_run, "make a diff, change nothing", (("--coordination", "from coordinate"),)),
    "ask": (_ask, "ask what has to be known first", (("--dry-result", "from dry-run"),)),
    "answer": (_answer, "answer that", (("--questions", "from ask"),)),
    "execute": (_execute, "test, rename, commit", (("--dry-result", "from dry-run"), ("--answers", "from answer"))),
    "sample": (_sample, "make a small repository to try it on", ()),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rename_pipeline", description=sys.modules["rename_pipeline"].__doc__)
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    parsers = {}
    for name, (function, text, files) in _STAGES.items():
        parsers[name] = stage = stages.add_parser(name, help=text)
        stage.set_defaults(function=function)
        for option, source in files:
            stage.add_argument(option, type=Path, required=True, metavar="PATH", help=source)
        stage.add_argument("--out", type=Path, required=True, metavar="PATH", help="where the outcome goes")
    parsers["intent"].add_argument("--request", required=True, help="such as 'rename X to Y'")
    parsers["answer"].add_argument("--yes", action="store_true", help="say yes to everything")
    parsers["execute"].add_argument("--test-command", default="", metavar="COMMAND", help="default: unittest discover")
    for name in ("intent", "execute"):
        parsers[name].add_argument(
            "--model", default="", metavar="NAME", help="plan by this model (OPENAI_BASE_URL, OPENAI_API_KEY)"
        )
    return parser


def main() -> int:
    """Run one stage; 0 done, 1 not carried out, 2 bad input."""
    given = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        outcome, keys = given.function(given)
    except (PipelineError, OSError) as error:
        print(f"rename_pipeline {given.stage}: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    for key in keys:
        print(f"{key}={outcome[key]}")
    if outcome.get("status", "committed") != "committed":
        print(f"rename_pipeline {given.stage}: {outcome['status']}: {outcome['reason']}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
