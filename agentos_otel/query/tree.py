"""The spans of a task as a tree; what has lost its parent stands at the top and says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

_Key: TypeAlias = tuple[str, str]


@dataclass(slots=True, eq=False)  # the same node, not one that looks the same: comparing would go all the way down
class Node:
    """A span and its children by start; `orphan` where its parent is nowhere."""

    span: dict[str, Any]
    orphan: bool = False
    children: list[Node] = field(default_factory=list)


def build(spans: Sequence[dict[str, Any]]) -> list[Node]:
    """Return the roots, then the orphans, each with what is below it, ordered by start.

    Every span is in the result once, whatever the data: of spans that are each other's parents the first is taken
    for an orphan, and a span that came twice is there twice, its children below the first.
    """
    nodes = [Node(span) for span in spans]
    by_id: dict[_Key, Node] = {}
    for node in nodes:
        if node.span.get("span_id"):
            by_id.setdefault(_key(node.span, "span_id"), node)
    top: list[Node] = []
    below: dict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        parent = by_id.get(_key(node.span, "parent_span_id")) if node.span.get("parent_span_id") else None
        if parent is None or parent is node:
            node.orphan = bool(node.span.get("parent_span_id"))
            top.append(node)
        else:
            below[id(parent)].append(node)
    for node in nodes:
        node.children = sorted(below[id(node)], key=_order) if id(node) in below else []
    top.sort(key=_order)
    return top + _cut_cycles(nodes, top)


def walk(nodes: Sequence[Node]) -> Iterator[tuple[int, Node]]:
    """Yield (depth, node), parents first; without recursion, since traces may be deep."""
    stack = [(0, node) for node in reversed(nodes)]
    while stack:
        depth, node = stack.pop()
        yield depth, node
        stack += [(depth + 1, child) for child in reversed(node.children)]


def with_roots(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the spans of a document, and for each attempt whose root is not written yet a span in its place.

    The root span is written once, at the end of its attempt; until then what lies below it is no orphan. A root that
    nothing names as its parent is not made up: a task that is sampled out has no spans.
    """
    roots_of = {_key(attempt, "root_span_id") for attempt in _records(document, "attempts")}
    spans, task = _records(document, "spans"), document.get("task")
    # What lies above a task in a foreign trace is not for us to show: its root is no orphan.
    spans = [{**span, "parent_span_id": None} if _key(span, "span_id") in roots_of else span for span in spans]
    present = {_key(span, "span_id") for span in spans}
    wanted = {_key(span, "parent_span_id") for span in spans if span.get("parent_span_id")}
    roots = []
    for attempt in _records(document, "attempts"):
        key = _key(attempt, "root_span_id")
        if key not in present and key in wanted:
            roots.append(_root(attempt, task if isinstance(task, dict) else {}))
    return roots + spans


def _root(attempt: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    ended = attempt.get("ended_ns")
    # An attempt that has not ended is as its task is now: waiting, executing.
    status = attempt.get("status") if ended else task.get("status")
    return {
        "trace_id": attempt.get("trace_id"),
        "span_id": attempt.get("root_span_id"),
        "parent_span_id": None,
        "name": attempt.get("name") or task.get("name") or "task",
        "kind": "task",
        "stage": None,
        "status": status,
        "start_ns": attempt.get("started_ns"),
        "end_ns": ended,
        "attempt": attempt.get("attempt"),
        "run_id": "",
        "error_type": attempt.get("error_type"),
        "attributes": {},
        "events": [],
        "links": [],
    }


def _records(document: dict[str, Any], part: str) -> list[dict[str, Any]]:
    found = document.get(part)
    return [record for record in found if isinstance(record, dict)] if isinstance(found, list) else []


def _key(span: dict[str, Any], name: str) -> _Key:
    return str(span.get("trace_id")), str(span.get(name))


def _order(node: Node) -> tuple[bool, float, str]:
    start = node.span.get("start_ns")
    # NaN, which has no order, is not above 0 either.
    return node.orphan, start if isinstance(start, int | float) and start > 0 else 0, str(node.span.get("span_id"))


def _cut_cycles(nodes: list[Node], top: list[Node]) -> list[Node]:
    """Make an orphan of one span of each ring of parents, so that nothing is lost; returns these."""
    reached = {id(node) for _, node in walk(top)}
    if len(reached) == len(nodes):
        return []
    parents = {id(child): node for node in nodes for child in node.children}
    cut = []
    for node in sorted((node for node in nodes if id(node) not in reached), key=_order):
        if id(node) in reached:
            continue
        # Upwards from here lies the ring (or what was reached since): the first span met twice is on it.
        met: set[int] = set()
        at = node
        while id(at) not in met:
            met.add(id(at))
            at = parents[id(at)]
        parents[id(at)].children.remove(at)
        at.orphan = True
        cut.append(at)
        reached |= {id(below) for _, below in walk([at])}
    return cut
