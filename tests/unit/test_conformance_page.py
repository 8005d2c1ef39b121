"""The page on conformance is made from outcomes of the facts that there are."""

from __future__ import annotations

import json

from tests.conformance.table import HERE, facts, table

ROOT = HERE.parents[1]
OUTCOMES = {path.stem: json.loads(path.read_text()) for path in (HERE / "results").glob("*.json")}


def test_every_fact_was_run_on_this_library_and_holds() -> None:
    assert OUTCOMES["agentos_otel"]["facts"] == {path: [] for _, path, _ in sorted(facts(), key=lambda fact: fact[1])}


def test_what_others_were_run_on_are_facts_that_there_are() -> None:
    known = {path for _, path, _ in facts()}
    assert len(OUTCOMES) == 8
    assert {path for outcomes in OUTCOMES.values() for path in outcomes["facts"]} <= known


def test_the_page_is_what_the_outcomes_give() -> None:
    assert (ROOT / "docs" / "conformance.md").read_text() == table()
