"""A whole run in a terminal: the tree of stages, agent calls and tools, ids, artifacts, commits."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from agentos_otel.cli.format import duration, glyph, moment, printable, style
from agentos_otel.query.tree import build, walk

if TYPE_CHECKING:
    from rich.console import Console

MAX_LOGS: Final = 3
"""Log records shown under a span; `task logs` shows all."""


def print_run(console: Console, document: dict[str, Any]) -> None:
    """Print the run that a document describes."""
    _header(console, document)
    _tree(console, document)
    _artifacts(console, document)
    _commits(console, document)
    lost = {key: value for key, value in document["losses"].items() if value}
    if lost:
        _line(console, "lost   " + ", ".join(f"{value} {key}" for key, value in lost.items()), "bold red")


def _line(console: Console, text: str, look: str = "") -> None:
    from rich.text import Text

    console.print(Text(printable(text), style=look), no_wrap=True, overflow="ellipsis", crop=console.is_terminal)


def _header(console: Console, document: dict[str, Any]) -> None:
    task = document["task"]
    took = (task["ended_ns"] or task["updated_ns"]) - task["created_ns"]
    why = f" ({task['error_type']})" if task["error_type"] else ""
    sign = glyph(task["status"], ascii_only=_ascii(console))
    _line(console, f"task {task['task_id']}  {task['name']}", "bold")
    _line(console, f"  {sign} {task['status']}{why} after {duration(took)}, begun {moment(task['created_ns'])}",
          style(task["status"]))  # fmt: skip
    _line(console, f"  session {task['session_id']}")
    for attempt in document["attempts"]:
        number = f" (attempt {attempt['attempt']})" if len(document["attempts"]) > 1 else ""
        _line(console, f"  trace   {attempt['trace_id']}{number}")


def _ascii(console: Console) -> bool:
    return not console.encoding.lower().startswith("utf")


def _tree(console: Console, document: dict[str, Any]) -> None:
    refs = defaultdict(list)
    for ref in document["refs"]:
        refs[ref["span_id"]].append(ref)
    logs = defaultdict(list)
    for log in document["logs"]:
        logs[log["span_id"]].append(log)
    for depth, node in walk(build(document["spans"])):
        span, indent = node.span, "  " * depth
        took = duration(span["end_ns"] - span["start_ns"]) if span["end_ns"] else "running"
        why = f"  {span['error_type']}" if span["error_type"] else ""
        lost = "  (its parent is missing)" if node.orphan else ""
        sign = glyph(span["status"], ascii_only=_ascii(console))
        _line(console, f"{indent}{sign} {span['name']}  {took}{why}{lost}", style(span["status"]))
        for ref in refs[span["span_id"]]:
            if ref["role"] == "produced":
                _line(console, f"{indent}    {ref['kind']} = {ref['value']}", "dim")
        for log in logs[span["span_id"]][:MAX_LOGS]:
            _line(console, f"{indent}    {log['severity'].lower()}: {log['body']}", "dim")
        more = len(logs[span["span_id"]]) - MAX_LOGS
        if more > 0:
            _line(console, f"{indent}    {more} more log records: `agentos-otel task logs`", "dim")


def _artifacts(console: Console, document: dict[str, Any]) -> None:
    if document["artifacts"]:
        _line(console, "artifacts", "bold")
    for item in document["artifacts"]:
        size = "" if item["size"] is None else f"{item['size']} bytes"
        look = "" if item["state"] == "present" else "bold red"
        _line(console, f"  {item['stage']:<14} {item['state']:<8} {item['path']}  {size}", look)


def _commits(console: Console, document: dict[str, Any]) -> None:
    for commit in document["commits"]:
        _line(console, f"commit {commit['sha']}  {commit['branch'] or ''}", "bold")
        if commit["subject"]:
            _line(console, f"  {commit['subject']}")
        for key, value in commit["trailers"].items():
            _line(console, f"  {key}: {value}")
        if commit["rewritten_to"]:
            _line(console, f"  rewritten to {commit['rewritten_to']}")
