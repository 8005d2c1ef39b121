"""Where a task is read from: the journals here, Jaeger, or both without doubles."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from agentos_otel import semconv
from agentos_otel.errors import AmbiguousError, BackendError, ConfigurationError, NotFoundError
from agentos_otel.query.blaming import leads
from agentos_otel.query.document import document

if TYPE_CHECKING:
    from agentos_otel.query.jaeger import Jaeger
    from agentos_otel.query.workspace import Workspace

Source: TypeAlias = Literal["auto", "local", "jaeger"]
SOURCES: Final = ("auto", "local", "jaeger")

# By what Jaeger can be asked for an id that nobody here knows; it searches whole values of one attribute at a time.
_SEARCHED: Final = (
    semconv.TASK_ID,
    semconv.SESSION_ID,
    *(f"{semconv.AGENTOS_ID_PREFIX}{kind}" for kind in semconv.ID_COLUMNS),
    semconv.AGENTOS_HOST_TASK_ID,
)


def read(workspace: Workspace, identifier: str, source: Source = "auto") -> tuple[dict[str, Any], str]:
    """Return the document of the task that `identifier` leads to, and what has to be said of it (or "").

    `auto` reads what lies here, and asks Jaeger for what does not: the whole task, or the spans of runs on other hosts.

    Raises:
        NotFoundError: No task has that id.
        AmbiguousError: Several tasks have it.
        BackendError: Jaeger had to be asked and does not answer.
    """
    if source == "jaeger":
        return _from_jaeger(workspace, identifier), ""
    try:
        found = document(workspace, workspace.resolve(identifier))
    except NotFoundError as missing:
        if source == "local" or not workspace.jaeger_url:
            raise
        try:
            return _from_jaeger(workspace, identifier), "read from Jaeger: nothing of this task lies here"
        except (BackendError, ConfigurationError) as error:
            raise NotFoundError(f"{missing}; {error}") from error
    elsewhere = _hosts_elsewhere(workspace, found)
    if source == "local" or not elsewhere:
        return found, ""
    where = f"part of this task lies in the journal of another host ({', '.join(elsewhere)})"
    if not workspace.jaeger_url:
        return found, f"{where}: set {semconv.ENV_JAEGER_URL}"
    try:
        return _merged(workspace, found), f"{where}: read from Jaeger"
    except (BackendError, ConfigurationError) as error:
        return found, f"{where}; {error}"


def _hosts_elsewhere(workspace: Workspace, found: dict[str, Any]) -> list[str]:
    here = {span["run_id"] for span in found["spans"]}
    return sorted({run["host"] for run in found["runs"]
                   if run["host"] not in ("", workspace.host) and run["run_id"] not in here})  # fmt: skip


def _merged(workspace: Workspace, found: dict[str, Any]) -> dict[str, Any]:
    """Return a document with the spans that Jaeger has beside its own; an end replaces a start, and ids come once."""
    from agentos_otel.query.jaeger_document import is_marker, spans_of

    spans = {(span["trace_id"], span["span_id"]): span for span in found["spans"]}
    jaeger = workspace.jaeger()
    for attempt in found["attempts"]:
        for span in spans_of(jaeger.trace(attempt["trace_id"])):
            key = (span["trace_id"], span["span_id"])
            if not is_marker(span) and (key not in spans or spans[key]["end_ns"] is None):
                spans[key] = span
    merged = sorted(spans.values(), key=lambda span: (span["start_ns"], span["span_id"]))
    return {**found, "spans": merged}


def _from_jaeger(workspace: Workspace, identifier: str) -> dict[str, Any]:
    from agentos_otel.query.jaeger_document import document_of

    jaeger = workspace.jaeger()
    try:
        task_id = workspace.resolve(identifier)
        traces = [row["trace_id"] for row in workspace.store.rows("list_attempts", task_id=task_id)]
    except NotFoundError:
        task_id = _search_leads(jaeger, identifier)
        traces = jaeger.search(semconv.TASK_ID, task_id)
    resources = [resource for trace_id in traces for resource in jaeger.trace(trace_id)]
    if not resources:
        raise NotFoundError(f"Jaeger at {jaeger.api.url} has no span of task {task_id}")
    return document_of(task_id, resources)


def _search_leads(jaeger: Jaeger, identifier: str) -> str:
    *others, last = leads(identifier)
    for lead in others:
        with suppress(NotFoundError):
            return _search(jaeger, lead)
    return _search(jaeger, last)


def _search(jaeger: Jaeger, identifier: str) -> str:
    """Return the task in whose spans `identifier` is a trace id, a commit or an id."""
    from agentos_otel.query.jaeger_document import spans_of

    if re.fullmatch("[0-9a-f]{32}", identifier):
        traces = [identifier]
    elif re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", identifier):
        traces = jaeger.search(semconv.VCS_HEAD_REVISION, identifier)
    else:
        traces = next((found for key in _SEARCHED if (found := jaeger.search(key, identifier))), [])
    spans = [span for trace_id in traces for span in spans_of(jaeger.trace(trace_id))]
    tasks = sorted({str(span["attributes"][semconv.TASK_ID]) for span in spans
                    if semconv.TASK_ID in span["attributes"]})  # fmt: skip
    if not tasks:
        raise NotFoundError(f"Jaeger at {jaeger.api.url} has no task with the id {identifier!r}: give a whole id")
    if len(tasks) > 1:
        raise AmbiguousError(f"{identifier!r} belongs to {len(tasks)} tasks ({', '.join(tasks[:4])}): give one of them")
    return tasks[0]
