"""The spans of a task as a tree; what has lost its parent stands at the top and says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Node:
    """A span and its children by start; `orphan` where its parent is nowhere."""

    span: dict[str, Any]
    orphan: bool = False
    children: list[Node] = field(default_factory=list)


def build(spans: Sequence[dict[str, Any]]) -> list[Node]:
    """Return the roots, then the orphans, each with what is below it."""
    nodes = {(span["trace_id"], span["span_id"]): Node(span) for span in spans}
    below: dict[tuple[str, str] | None, list[Node]] = defaultdict(list)
    for node in nodes.values():
        parent = node.span["parent_span_id"]
        key = (node.span["trace_id"], parent) if parent else None
        node.orphan = key is not None and (key not in nodes or nodes[key] is node)
        below[None if node.orphan else key].append(node)
    for key, children in below.items():
        children.sort(key=lambda node: (node.orphan, node.span["start_ns"], node.span["span_id"]))
        if key is not None:
            nodes[key].children = children
    return below[None]


def walk(nodes: Sequence[Node]) -> Iterator[tuple[int, Node]]:
    """Yield (depth, node), parents first; without recursion, since traces may be deep."""
    stack = [(0, node) for node in reversed(nodes)]
    while stack:
        depth, node = stack.pop()
        yield depth, node
        stack += [(depth + 1, child) for child in reversed(node.children)]
