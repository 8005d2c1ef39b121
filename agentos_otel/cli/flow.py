"""The phases of a task as nodes, with the ids that go from one to the next on the edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agentos_otel.cli.format import duration, glyph, printable, style

if TYPE_CHECKING:
    from rich.console import Console

CANONICAL: Final = ("intent", "coordination", "dry_execution", "execution")
_STATES: Final = {"abandoned": "failed", "error": "failed", "cancelled": "failed"}


def phases(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the nodes in order: name, state (pending, running, ok, failed, skipped), how often, time taken.

    The canonical phases are expected only of a task that has used one of them; those that are missing are pending
    while the task is open and nothing later has run, else skipped.
    """
    seen: dict[str, list[dict[str, Any]]] = {}
    for span in document["spans"]:
        if span["kind"] == "stage":
            seen.setdefault(span["stage"] or span["name"], []).append(span)
    names = list(seen)
    if any(name in seen for name in CANONICAL):
        for position, name in enumerate(CANONICAL):
            if name not in names:
                before = [names.index(other) for other in CANONICAL[:position] if other in names]
                names.insert(before[-1] + 1 if before else 0, name)
    last_ran = max((names.index(name) for name in seen), default=-1)
    nodes = []
    for position, name in enumerate(names):
        spans = seen.get(name, [])
        if spans:
            state = _STATES.get(spans[-1]["status"], spans[-1]["status"])
        else:
            state = "skipped" if document["task"]["ended_ns"] or position < last_ran else "pending"
        took = sum(span["end_ns"] - span["start_ns"] for span in spans if span["end_ns"])
        nodes.append({"name": name, "state": state, "times": len(spans), "took": took})
    return nodes


def edges(document: dict[str, Any], names: list[str]) -> dict[tuple[str, str], list[str]]:
    """Return the ids that a stage produced and another used, by (producer, user)."""
    producer = {ref["value"]: ref["stage"] for ref in document["refs"] if ref["role"] == "produced"}
    found: dict[tuple[str, str], list[str]] = {}
    for ref in document["refs"]:
        source = producer.get(ref["value"])
        if ref["role"] != "produced" and source in names and ref["stage"] in names and source != ref["stage"]:
            found.setdefault((source, ref["stage"]), []).append(f"{ref['kind']}={ref['value']}")
    return found


def print_flow(console: Console, document: dict[str, Any]) -> None:
    """Print the phases from first to last, the ids between them, and the commits at the end."""
    from rich.text import Text

    nodes = phases(document)
    names = [node["name"] for node in nodes]
    between = edges(document, names)
    ascii_only = not console.encoding.lower().startswith("utf")
    down = "|" if ascii_only else "│"

    def line(text: str, look: str = "") -> None:
        console.print(Text(printable(text), style=look), no_wrap=True, crop=console.is_terminal)

    for position, node in enumerate(nodes):
        times = f", {node['times']} times" if node["times"] > 1 else ""
        took = f"  {duration(node['took'])}" if node["took"] else ""
        line(f"[{glyph(node['state'], ascii_only=ascii_only)} {node['name']}: {node['state']}{times}]{took}",
             style(node["state"]))  # fmt: skip
        following = names[position + 1] if position + 1 < len(names) else None
        for (source, target), ids in between.items():
            if source == node["name"]:
                skips = "" if target == following else f" (to {target})"
                line(f"  {down} {', '.join(ids)}{skips}", "dim")
    for commit in document["commits"]:
        line(f"[{glyph('ok', ascii_only=ascii_only)} commit {commit['sha'][:12]}]  {commit['subject'] or ''}", "green")
