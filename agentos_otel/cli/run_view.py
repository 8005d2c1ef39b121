"""A whole run in a terminal: the tree of stages, agent calls and tools, ids, logs, artifacts, commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from agentos_otel.cli.format import Screen, duration, glyph, mapping, moment, number, records, span_of_time, style
from agentos_otel.query.tree import Node, build, walk, with_roots

if TYPE_CHECKING:
    from rich.console import Console

MAX_LOGS: Final = 3
"""Log records shown under a span; `task logs` shows all."""
MAX_BODY: Final = 160
"""Characters of a log record's body."""
MAX_DEPTH: Final = 24
"""Levels that are indented; what lies deeper says how deep it lies."""


def print_run(console: Console, document: dict[str, Any], link: str = "") -> None:
    """Print the run that a document describes, and where else it can be seen."""
    screen = Screen(console)
    task = mapping(document, "task")
    _header(screen, task, document, link)
    _attempts(screen, document)
    _tree(screen, document, str(task.get("task_id")))
    _artifacts(screen, document)
    _commits(screen, document)
    lost = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in mapping(document, "losses").items() if value)
    if lost:
        screen.line()
        screen.line(f"lost: {lost}", "bold red")


def _header(screen: Screen, task: dict[str, Any], document: dict[str, Any], link: str) -> None:
    status, ended, agents = task.get("status"), number(task.get("ended_ns")), task.get("agent_ids")
    error = f": {task['error_type']}" if task.get("error_type") else ""
    phase = f" ({task['phase']})" if task.get("phase") and task["phase"] != status else ""
    took = duration(span_of_time(task.get("created_ns"), ended if ended is not None else task.get("updated_ns")))
    # Without an end the length of a task is not known: only when it last changed.
    after = (f" in {took}" if ended is not None else f", last change after {took}") if took else ""
    screen.line(f"task {task.get('task_id')}  {task.get('name') or ''}".rstrip(), "bold")
    screen.line(f"  {glyph(status)} {status}{phase}{error}{after}", style(status))
    for name, value in (
        ("begun", moment(number(task.get("created_ns")))),
        ("session", task.get("session_id")),
        ("trace", task.get("trace_id")),
        ("jaeger", link),
        ("agents", ", ".join(map(str, agents if isinstance(agents, list) else ()))),
        ("runs", _runs(document)),
    ):
        if value:
            screen.line(f"  {name:<8} {value}")


def _runs(document: dict[str, Any]) -> str:
    states: dict[str, int] = defaultdict(int)
    for run in records(document, "runs"):
        states[f"{run.get('state')}{' late' if run.get('late') else ''}"] += 1
    return ", ".join(f"{count} {state}" for state, count in states.items())


def _attempts(screen: Screen, document: dict[str, Any]) -> None:
    attempts = list(records(document, "attempts"))
    for attempt in attempts:
        sampled = "" if attempt.get("sampled", True) else "  not sampled: no spans are kept"
        if len(attempts) > 1 or sampled:
            status, error = attempt.get("status"), attempt.get("error_type")
            took = duration(span_of_time(attempt.get("started_ns"), attempt.get("ended_ns")))
            merged = attempt.get("task_id") not in (None, mapping(document, "task").get("task_id"))
            of = f" of task {attempt.get('task_id')}, merged" if merged else ""
            parts = [f"  attempt {attempt.get('attempt')}{of}: {glyph(status)} {status}", error, took]
            text = "  ".join(str(part) for part in (*parts, f"trace {attempt.get('trace_id')}") if part)
            screen.line(text + sampled, style(status))


def _tree(screen: Screen, document: dict[str, Any], task_id: str) -> None:
    rows = list(walk(build(with_roots(document))))
    produced, logs = _by_span(document, rows)
    many = len(list(records(document, "attempts"))) > 1
    if rows:
        screen.line()
    for (depth, node), (lead, below) in zip(rows, _guides(rows), strict=True):
        span = node.span
        deep = f"({depth} deep) " if depth > MAX_DEPTH else ""
        which = f"  (attempt {span.get('attempt')})" if many and not depth else ""
        screen.line(
            f"{glyph(span.get('status'))} {deep}{_span_line(node)}{which}", style(span.get("status")), faint=lead
        )
        key = str(span.get("span_id"))
        for ref in produced.pop(key, ()):
            screen.line(_ref(ref), "cyan", faint=below)
        _logs(screen, logs.pop(key, []), below, task_id)
    for ref in (ref for refs in produced.values() for ref in refs):
        stage = f"  (stage {ref['stage']})" if ref.get("stage") else ""
        screen.line(f"  {_ref(ref)}{stage}", "cyan")
    loose = sum(map(len, logs.values()))
    if loose:
        screen.line(f"  {_count(loose, 'log record')} outside the spans: `agentos-otel task logs {task_id}`", "dim")


def _span_line(node: Node) -> str:
    """Return what a line says of a span: name, duration, what went wrong."""
    span = node.span
    status, error = span.get("status"), span.get("error_type")
    took = duration(span_of_time(span.get("start_ns"), span.get("end_ns")))
    since = f"since {moment(number(span.get('start_ns')))}" if not took and span.get("start_ns") else ""
    said = "" if status in ("ok", "completed") else str(status)
    why = str(error) if error and error != status else ""
    lost = "(its parent is missing)" if node.orphan else ""
    return "  ".join(part for part in (str(span.get("name")), took, said, why, since, lost) if part)


def _by_span(
    document: dict[str, Any], rows: list[tuple[int, Node]]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[dict[str, Any]]]]:
    """Return the produced ids and the log records by span; ids of no known span lie with the last of their stage."""
    spans = [node.span for _, node in rows]
    known = {str(span.get("span_id")) for span in spans}
    last = {str(span["stage"]): str(span.get("span_id")) for span in spans
            if span.get("kind") == "stage" and span.get("stage")}  # fmt: skip
    produced: dict[str, list[dict[str, Any]]] = defaultdict(list)
    logs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for ref in records(document, "refs"):
        if ref.get("role") == "produced":
            key = str(ref.get("span_id"))
            produced[key if key in known else last.get(str(ref.get("stage")), "")].append(ref)
    for log in records(document, "logs"):
        logs[str(log.get("span_id"))].append(log)
    return produced, logs


def _guides(rows: list[tuple[int, Node]]) -> Iterator[tuple[str, str]]:
    """Yield for each row what stands before it and before the lines that belong to it.

    From the last row upwards: a level has a line through it as long as a row of that level is still to come below.
    """
    leads: list[tuple[str, str]] = []
    coming: list[bool] = []
    for position in range(len(rows) - 1, -1, -1):
        depth, node = rows[position]
        level = min(depth, MAX_DEPTH)
        del coming[level + 1 :]
        coming += [False] * (level + 1 - len(coming))
        outer = "".join("│  " if through else "   " for through in coming[1:level])
        own = ("├─ " if coming[level] else "└─ ") if level else ""
        beside = ("│  " if coming[level] else "   ") if level else ""
        leads.append((outer + own, outer + beside + ("│  " if node.children and level < MAX_DEPTH else "   ")))
        coming[level] = True
    yield from reversed(leads)


def _ref(ref: dict[str, Any]) -> str:
    return f"→ {ref.get('kind')} = {ref.get('value')}"


def _logs(screen: Screen, logs: list[dict[str, Any]], lead: str, task_id: str) -> None:
    for log in logs[:MAX_LOGS]:
        body = " ".join(str(log.get("body")).split())
        short = body if len(body) <= MAX_BODY else body[: MAX_BODY - 1] + "…"
        severity = str(log.get("severity") or "log").lower()
        look = "yellow" if severity.startswith(("warn", "error", "fatal", "crit")) else "dim"
        screen.line(f"{severity}: {short}", look, faint=lead)
    more = len(logs) - MAX_LOGS
    if more > 0:
        screen.line(f"{_count(more, 'more log record')}: `agentos-otel task logs {task_id}`", "dim", faint=lead)


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _artifacts(screen: Screen, document: dict[str, Any]) -> None:
    items = list(records(document, "artifacts"))
    if items:
        screen.line()
        screen.line("artifacts", "bold")
    widest = max((len(str(item.get("stage") or "")) for item in items), default=0)
    for item in items:
        stage, state, size = str(item.get("stage") or ""), str(item.get("state")), number(item.get("size"))
        text = f"{stage:<{min(widest, 30)}}  {state:<8}  {item.get('path')}"
        screen.line(f"  {glyph(state)} {text}" + (f"  {size} bytes" if size is not None else ""),
                    style(state) if state != "present" else "")  # fmt: skip


def _commits(screen: Screen, document: dict[str, Any]) -> None:
    for commit in records(document, "commits"):
        branch = f"  on {commit['branch']}" if commit.get("branch") else ""
        screen.line()
        screen.line(f"commit {commit.get('sha')}{branch}", "bold")
        if commit.get("subject"):
            screen.line(f"  {commit['subject']}")
        for key, value in mapping(commit, "trailers").items():
            screen.line(f"  {key}: {value}", "dim")
        if commit.get("rewritten_to"):
            screen.line(f"  rewritten to {commit['rewritten_to']}", "yellow")
