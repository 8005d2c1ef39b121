"""`@task`, `@stage`, `@agent`, `@tool`: each bare or with arguments, each also a `with` block, sync and async."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, TypeVar, overload

from agentos_otel.model import Failure, IdPath, Point, PointKind
from agentos_otel.tracing import points
from agentos_otel.tracing.current_task import CurrentTask
from agentos_otel.tracing.plan import Plan
from agentos_otel.tracing.wrappers import wrap

F = TypeVar("F", bound=Callable[..., Any])
Use = Literal["produces", "consumes", "joins"]
Ids = Mapping[str, str | Sequence[str]]


def _id_paths(use: Use, ids: Ids | None) -> list[IdPath]:
    return [
        IdPath(kind, path, use)
        for kind, given in (ids or {}).items()
        for path in ([given] if isinstance(given, str) else given)
    ]


class Mark:
    """A point that awaits its function, or is a block: `@stage("intent")` and `with stage("intent"):`."""

    def __init__(self, point: Point) -> None:
        self._point = point
        self._block: tuple[Plan, dict[str, Any]] | None = None
        self._entered: list[points.Entry | None] = []

    def __call__(self, fn: F) -> F:
        """Return `fn` in a span; its signature, kind and exceptions stay as they are."""
        wrapped: F = wrap(fn, self._point)
        return wrapped

    def __enter__(self) -> CurrentTask:
        """Enter the block. Here `produces`, `consumes`, `joins` and `session` hold the values, not paths to them."""
        if self._block is None:
            point, arguments = _literal(self._point)
            self._block = Plan(point, point.kind), arguments
        entered = points.enter(*self._block)
        self._entered.append(entered)
        return CurrentTask(entered.span if entered else None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the block; the host's exception goes on."""
        entered = self._entered.pop()
        if entered is not None:
            entered.leave(error)

    async def __aenter__(self) -> CurrentTask:
        """Enter the block; nothing is awaited."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the block; nothing is awaited."""
        self.__exit__(kind, error, trace)


def _literal(point: Point) -> tuple[Point, dict[str, Any]]:
    """Return the point of a block, whose ids and names are values, with paths that lead to those."""
    from dataclasses import replace

    arguments: dict[str, Any] = {"session": point.session, "task": point.task}
    ids = []
    for number, item in enumerate(point.ids):
        arguments[f"id{number}"] = item.path
        ids.append(IdPath(item.kind, f"id{number}", item.use))
    for number, path in enumerate(point.artifacts):
        arguments[f"file{number}"] = path
    literal = replace(
        point,
        ids=tuple(ids),
        session="session" if point.session else "",
        task="task" if point.task else "",
        artifacts=tuple(f"file{number}" for number in range(len(point.artifacts))),
        failed=(),
        capture=False,
    )
    return literal, arguments


def _mark(kind: PointKind, target: Any, options: Mapping[str, Any]) -> Any:
    name = target if isinstance(target, str) else ""
    ids = [item for use in ("produces", "consumes", "joins") for item in _id_paths(use, options.get(use))]
    failed = tuple(Failure(path, tuple(values)) for path, values in (options.get("failed") or {}).items())
    rest = {key: value for key, value in options.items() if key not in ("produces", "consumes", "joins", "failed")}
    point = Point(kind, rest.pop("name", None) or name, ids=tuple(ids), failed=failed, **rest)
    return Mark(point) if target is None or isinstance(target, str) else wrap(target, point)


@overload
def task(target: F, /) -> F: ...
@overload
def task(
    target: str | None = None,
    /,
    *,
    name: str = "",
    session: str = "",
    task: str = "",
    new: bool = False,
    produces: Ids | None = None,
    consumes: Ids | None = None,
    joins: Ids | None = None,
    artifacts: Sequence[str] = (),
    failed: Mapping[str, Sequence[object]] | None = None,
    control_flow: Sequence[str] = (),
    capture: bool | None = None,
) -> Mark: ...
def task(target: Any = None, /, **options: Any) -> Any:
    """Mark a call as a whole task: its span is the root, and the task ends when it returns.

    Args:
        target: The function (bare), or the task's name.
        **options: `session` and `task`: short paths to the host's session id and task id (in a `with` block: the ids
            themselves). `new`: inside a task, begin another, linked. The rest as for `stage`.
    """
    return _mark("task", target, options)


@overload
def stage(target: F, /) -> F: ...
@overload
def stage(
    target: str | None = None,
    /,
    *,
    name: str = "",
    name_from: str = "",
    begins: bool = False,
    ends: bool = False,
    session: str = "",
    task: str = "",
    produces: Ids | None = None,
    consumes: Ids | None = None,
    joins: Ids | None = None,
    artifacts: Sequence[str] = (),
    failed: Mapping[str, Sequence[object]] | None = None,
    control_flow: Sequence[str] = (),
    capture: bool | None = None,
) -> Mark: ...
def stage(target: Any = None, /, **options: Any) -> Any:
    """Mark a call as a stage of a task.

    Args:
        target: The function (bare), or the stage's name; intent, coordination, dry_execution and execution also move
            the task's phase.
        **options: `produces`, `consumes`, `joins`: kind of id -> short path (`result.execution_intent.id`,
            `request.id`); in a `with` block the ids themselves. `begins`: always a task of its own. `ends`: success
            ends a task that has no owner. `artifacts`: short paths of file names. `failed`: path -> returned values
            that mean failure. `control_flow`: exceptions (`module:Class`) that are no errors. `capture`: record
            arguments and result. `name_from`: path of the name. `session`, `task`: paths of the host's ids.
    """
    return _mark("stage", target, options)


@overload
def agent(target: F, /) -> F: ...
@overload
def agent(
    target: str | None = None,
    /,
    *,
    name: str = "",
    name_from: str = "",
    produces: Ids | None = None,
    consumes: Ids | None = None,
    failed: Mapping[str, Sequence[object]] | None = None,
    control_flow: Sequence[str] = (),
    capture: bool | None = None,
) -> Mark: ...
def agent(target: Any = None, /, **options: Any) -> Any:
    """Mark a call to an agent (`invoke_agent NAME`); outside any task it is a task of its own. Options: see `stage`."""
    return _mark("agent", target, options)


@overload
def tool(target: F, /) -> F: ...
@overload
def tool(
    target: str | None = None,
    /,
    *,
    name: str = "",
    name_from: str = "",
    produces: Ids | None = None,
    consumes: Ids | None = None,
    failed: Mapping[str, Sequence[object]] | None = None,
    control_flow: Sequence[str] = (),
    capture: bool | None = None,
) -> Mark: ...
def tool(target: Any = None, /, **options: Any) -> Any:
    """Mark a tool call (`execute_tool NAME`); outside any task it is a task of its own. Options: see `stage`."""
    return _mark("tool", target, options)
