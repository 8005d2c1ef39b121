"""The values that cross layers: points, id paths, refs, operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

PointKind: TypeAlias = Literal["task", "stage", "agent", "tool", "llm", "commit", "event"]
POINT_KINDS: Final = ("task", "stage", "agent", "tool", "llm", "commit", "event")

Role: TypeAlias = Literal["produced", "consumed", "born"]

Status: TypeAlias = Literal["created", "planning", "executing", "waiting", "completed", "failed", "cancelled"]
STATUSES: Final = ("created", "planning", "executing", "waiting", "completed", "failed", "cancelled")
ENDED_STATUSES: Final = ("completed", "failed", "cancelled")

Operation: TypeAlias = Mapping[str, Any]
"""One change to the task store as plain data: `{"op": NAME, …}`. It is journaled (field 12) before it is applied to
SQL, and applying it twice changes nothing, so that the store can be caught up or rebuilt from the journals."""


@dataclass(frozen=True, slots=True)
class IdPath:
    """Where a point finds an id: `kind` of the id, a short path such as `result.execution_intent.id`, and its use.

    The first word of the path is the name of a parameter, `self`, or `result`; each further word is a key, an
    attribute or an index, tried in this order.
    """

    kind: str
    path: str
    use: Literal["produces", "consumes", "joins"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A returned value that means failure: the value at `path` equals one of `values`.

    A text that ends in `*` stands for every text that begins so; an empty tuple for every empty collection or text.
    """

    path: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Rewrites:
    """Where a call leaves which commits became which: two lists of one JSON file, item by item.

    Attributes:
        file: Name of the file, as a short path or a template (see `Point.artifacts`).
        old: Path of the list of shas before, inside the file.
        new: Path of the list of shas after.
        repository: Short path of the repository's folder; empty takes the current one.
    """

    file: str
    old: str
    new: str
    repository: str = ""


@dataclass(frozen=True, slots=True)
class HostTasks:
    """The host's own table of tasks: where it is, and the names of its columns; an empty name is not there.

    Attributes:
        database: Functions of the host, as `module:QualName`, that give the SQLite file; the first loaded one is asked.
        table: Name of the table.
        key: Column of the host's task id.
        session: Column of the session.
        status: Column of the status.
        trace: Column that the trace id is written to; it is added where it is missing.
        ended: The host's final statuses, each with what it means: completed, failed or cancelled.
    """

    database: tuple[str, ...]
    table: str
    key: str
    session: str = ""
    status: str = ""
    trace: str = ""
    ended: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Point:
    """One place of a host that becomes a span: what `@stage` and its siblings, and a row of a map, both describe.

    Attributes:
        kind: task, stage, agent, tool, llm or commit; event becomes no span but an event of the one around it.
        name: Name in the span name (`stage NAME`); empty takes the function's own name.
        name_from: Short path whose value names the span; wins over `name` when it gives a string.
        ids: Ids to read from arguments and result.
        begins: The point begins a task of its own and never joins one by id.
        ends: A call that succeeds ends the task (for tasks that were born at a stage and have no owner).
        new: A task inside a task is another task, linked, not a span of it.
        session: Short path of the session id that the host gives, or empty.
        task: Short path of the host's own task id, or empty; it adopts, and at a birth it is the key.
        artifacts: Short paths of file names to record, or templates with short paths: `{self.dir}/{request.id}/*.json`.
        failed: Returned values that mean failure.
        control_flow: Exceptions, as `module:QualName`, that are not failures.
        capture: Record arguments and result (private by default).
        attributes: Attributes of every span of this point.
        values: Attributes by the short path of their value: names, states, counts; never content.
        carry: Parameter that takes a function to be called in another thread: it gets the span along.
        carry_task: Short path of the host's task id in that function's first argument: its calls are work of that task.
        stamps: Parameter that takes a dict: it gets the trace id.
        inside: The point is nothing outside a task: it neither joins nor begins one.
        fails: An event that says that the span around it failed.
        rewrites: Where the call says which commits became which.
    """

    kind: PointKind
    name: str = ""
    name_from: str = ""
    ids: tuple[IdPath, ...] = ()
    begins: bool = False
    ends: bool = False
    new: bool = False
    session: str = ""
    task: str = ""
    artifacts: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    control_flow: tuple[str, ...] = ()
    capture: bool | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    carry: str = ""
    carry_task: str = ""
    stamps: str = ""
    inside: bool = False
    fails: bool = False
    rewrites: Rewrites | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """An id of the pipeline as seen at a point."""

    kind: str
    value: str
    role: Role
