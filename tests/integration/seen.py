"""A trace as Jaeger's page shows it: with its warnings, and with what is missing in it."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import urlopen

from agentos_otel.query.tree import build, walk
from tests.integration.backends import JaegerServer


def shape(spans: list[dict[str, Any]]) -> list[tuple[int, str, str]]:
    """Return the tree: depth, name and id of each span, from the root on."""
    return [(depth, node.span["name"], node.span["span_id"]) for depth, node in walk(build(spans))]


def shown(jaeger: JaegerServer, trace_id: str) -> list[dict[str, Any]]:
    """Return the spans of a trace as Jaeger's page has them; the markers of its start are among them."""
    with urlopen(f"{jaeger.url}/api/traces/{trace_id}", timeout=10) as answer:
        spans: list[dict[str, Any]] = json.load(answer)["data"][0]["spans"]
    return spans


def is_whole(spans: list[dict[str, Any]]) -> bool:
    """Assert that the page shows one tree: one root, no parent missing, no warning, no span twice."""
    assert not [span["warnings"] for span in spans if span["warnings"]]
    present = [span["spanID"] for span in spans]
    assert len(set(present)) == len(present)
    parents = [
        reference["spanID"] for span in spans for reference in span["references"] if reference["refType"] == "CHILD_OF"
    ]
    assert set(parents) <= set(present)
    assert len(spans) - len(parents) == 1
    return True
