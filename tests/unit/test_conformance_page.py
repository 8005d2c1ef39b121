"""The page on conformance is made from outcomes of the facts that there are."""

from __future__ import annotations

import json

from tests.conformance.table import HERE, facts, table

ROOT = HERE.parents[1]
OUTCOMES = {path.stem: json.loads(path.read_text()) for path in (HERE / "results").glob("*.json")}


def test_every_fact_was_run_on_every_product() -> None:
    paths = sorted(path for _, path, _ in facts())
    assert {name: sorted(outcomes["facts"]) for name, outcomes in OUTCOMES.items()} == dict.fromkeys(OUTCOMES, paths)
    assert len(OUTCOMES) == 8


def test_every_fact_holds_for_this_library() -> None:
    assert [why for why in OUTCOMES["agentos_otel"]["facts"].values() if why] == []


def test_the_page_is_what_the_outcomes_give() -> None:
    assert (ROOT / "docs" / "conformance.md").read_text() == table()
