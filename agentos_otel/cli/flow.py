"""The phases of a task as nodes, with the ids that go from one to the next on the edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agentos_otel.cli.format import Screen, duration, glyph, mapping, number, records, span_of_time, style

if TYPE_CHECKING:
    from rich.console import Console

CANONICAL: Final = ("intent", "coordination", "dry_execution", "execution")
_STATES: Final = {"abandoned": "failed", "error": "failed", "cancelled": "failed"}


def phases(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the nodes in order: name, state (pending, running, ok, failed, skipped), why, how often, time taken.

    The canonical phases are expected only of a task that has used one of them; those that are missing are pending
    while the task is open and no later one has run, else skipped. A stage that is known by its ids alone (its task is
    not sampled) has the state `unrecorded`.
    """
    seen = _stages(document)
    task = mapping(document, "task")
    names = sorted(seen, key=lambda name: seen[name][0])
    skipped = number(task.get("ended_ns")) is not None
    states: dict[str, str] = {}
    if str(task.get("phase")) in CANONICAL or any(name in seen for name in CANONICAL):
        following = len(names)
        # Backwards: what is missing stands before the next phase that ran, or after all that did.
        for name in reversed(CANONICAL):
            if name in seen:
                following, skipped = names.index(name), True
            else:
                names.insert(following, name)
                states[name] = "skipped" if skipped else "pending"
    return [_node(name, seen[name][1] if name in seen else [], states.get(name, "unrecorded")) for name in names]


def _stages(document: dict[str, Any]) -> dict[str, tuple[float, list[dict[str, Any]]]]:
    """Return when each stage was first seen, and its spans by start."""
    seen: dict[str, tuple[float, list[dict[str, Any]]]] = {}

    def add(name: str, when: object) -> list[dict[str, Any]]:
        first, spans = seen.get(name, (float("inf"), []))
        at = number(when)
        seen[name] = (min(first, first if at is None else at), spans)
        return spans

    for span in records(document, "spans"):
        if span.get("kind") == "stage":
            add(str(span.get("stage") or span.get("name")), span.get("start_ns")).append(span)
    for ref in records(document, "refs"):
        if ref.get("stage"):
            add(str(ref["stage"]), ref.get("seen_ns"))
    for _, spans in seen.values():
        spans.sort(key=lambda span: number(span.get("start_ns")) or 0)
    return seen


def _node(name: str, spans: list[dict[str, Any]], missing: str) -> dict[str, Any]:
    state, why = missing, ""
    if spans:
        last = spans[-1]
        status = str(last.get("status"))
        state = _STATES.get(status, status)
        why = str(last.get("error_type") or (status if status in _STATES and status != "error" else ""))
    took = [span_of_time(span.get("start_ns"), span.get("end_ns")) for span in spans]
    known = [time for time in took if time is not None]
    return {"name": name, "state": state, "why": why, "times": len(spans), "took": sum(known) if known else None}


def edges(document: dict[str, Any], names: list[str]) -> dict[tuple[str, str], list[str]]:
    """Return the ids that one stage produced and another has, by (producer, user); labels as `kind = value`.

    Where several stages produced a value, the first did: the others handed it on.
    """
    refs = sorted(records(document, "refs"), key=lambda ref: number(ref.get("seen_ns")) or 0)
    producer: dict[str, str] = {}
    for ref in refs:
        if ref.get("role") == "produced":
            producer.setdefault(str(ref.get("value")), str(ref.get("stage")))
    found: dict[tuple[str, str], list[str]] = {}
    for ref in refs:
        source, target = producer.get(str(ref.get("value"))), str(ref.get("stage"))
        if source in names and target in names and source != target:
            labels = found.setdefault((source, target), [])
            label = f"{ref.get('kind')} = {ref.get('value')}"
            if label not in labels:
                labels.append(label)
    return found


def print_flow(console: Console, document: dict[str, Any]) -> None:
    """Print the phases from first to last, the ids between them, and the commits at the end."""
    screen = Screen(console)
    nodes, commits = phases(document), list(records(document, "commits"))
    names = [str(node["name"]) for node in nodes]
    between = edges(document, names)
    task = mapping(document, "task")
    screen.line(f"task {task.get('task_id')}  {glyph(task.get('status'))} {task.get('status')}", "bold")
    if not nodes and not commits:
        screen.line("no phase has run", "dim")
    for position, node in enumerate(nodes):
        _print_node(screen, node)
        following = names[position + 1] if position + 1 < len(names) else None
        ahead = {target: labels for (source, target), labels in between.items() if source == node["name"]}
        for label in ahead.pop(following or "", ()):
            screen.line(label, "cyan", faint="  │  ")
        for target in sorted(ahead, key=names.index):
            back = "back to" if names.index(target) < position else "to"
            for label in ahead[target]:
                screen.line(f"{label}  → {back} {target}", "cyan", faint="  │  ")
        if following or commits:
            screen.line(faint="  ▼")
    spans = {str(span.get("span_id")): span for span in records(document, "spans")}
    for commit in commits:
        _print_commit(screen, commit, _stage_around(spans, commit.get("span_id")))


def _print_node(screen: Screen, node: dict[str, Any]) -> None:
    why = f" ({node['why']})" if node["why"] else ""
    times = f", {node['times']} times" if node["times"] > 1 else ""
    took = f"  {duration(node['took'])}" if node["took"] is not None else ""
    screen.line(f"[{glyph(node['state'])} {node['name']}: {node['state']}{why}{times}]{took}", style(node["state"]))


def _stage_around(spans: dict[str, dict[str, Any]], span_id: object) -> str:
    """Return the stage that a span belongs to: a commit is made by a tool, somewhere below its stage."""
    met: set[str] = set()
    at = str(span_id)
    while at in spans and at not in met:
        met.add(at)
        if spans[at].get("stage"):
            return str(spans[at]["stage"])
        at = str(spans[at].get("parent_span_id"))
    return ""


def _print_commit(screen: Screen, commit: dict[str, Any], stage: str) -> None:
    by = f" by {stage}" if stage else ""
    now = f", now {str(commit['rewritten_to'])[:12]}" if commit.get("rewritten_to") else ""
    subject = f"  {commit['subject']}" if commit.get("subject") else ""
    screen.line(f"[✓ commit {str(commit.get('sha'))[:12]}{by}{now}]{subject}", "green")
