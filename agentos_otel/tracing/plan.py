"""What is known of a point before any call: its names, the shape of its spans, what a call has to be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agentos_otel import semconv
from agentos_otel.model import Point
from agentos_otel.tracing import paths
from agentos_otel.tracing.span import Shape

_MAX_SHAPES: Final = 1000
"""Names of one point that are kept encoded; a host that names spans by request would fill the memory."""


class Plan:
    """A point as `enter` needs it; made once, where the function is decorated.

    Args:
        point: What the call is.
        name: Name for the span, where the point has none of its own.
        function: Qualified name of the function (`code.function.name`).

    Attributes:
        needs_arguments: Something is read off the arguments.
        plain: No id, file, value or failure is read off the arguments or the result.
        starts: Its start is written at once, so that a running stage or agent can be seen.
    """

    __slots__ = ("_shapes", "function", "name", "needs_arguments", "plain", "point", "shape", "starts")

    def __init__(self, point: Point, name: str, function: str = "") -> None:
        self.point = point
        self.name = point.name or name
        self.function = function
        self.plain = not (point.ids or point.artifacts or point.failed or point.task or point.values or point.rewrites)
        self.needs_arguments = bool(not self.plain or point.capture or point.name_from or point.session)
        self.starts = point.kind in ("stage", "agent")
        self.shape = self._make(self.name)
        self._shapes: dict[str, Shape] = {}

    def shape_for(self, arguments: Mapping[str, Any]) -> tuple[str, Shape]:
        """Return name and shape for a call: where the point names its spans by an argument, that one's."""
        name = paths.resolve(self.point.name_from, arguments) if self.point.name_from else None
        if not isinstance(name, str) or not name:
            return self.name, self.shape
        shape = self._shapes.get(name)
        if shape is None:
            shape = self._make(name)
            if len(self._shapes) < _MAX_SHAPES:
                self._shapes[name] = shape
        return name, shape

    def root_shape(self, root_name: str, name: str) -> Shape:
        """Return the shape of a span of this point that is the root of its task."""
        return Shape(root_name, self.point.kind, self._attributes(name))

    def _make(self, name: str) -> Shape:
        kind = self.point.kind
        span_name = semconv.SPAN_NAME_PREFIX.get(kind, "") + ("" if kind == "commit" else name)
        return Shape(span_name, kind, self._attributes(name))

    def _attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes that the spans have from their start."""
        kind, attributes = self.point.kind, dict(self.point.attributes)
        if kind == "stage":
            attributes[semconv.AGENTOS_STAGE_NAME] = name
        elif kind == "agent":
            attributes[semconv.GEN_AI_OPERATION_NAME] = semconv.OPERATION_INVOKE_AGENT
            attributes[semconv.GEN_AI_AGENT_NAME] = name
        elif kind == "tool":
            attributes[semconv.GEN_AI_OPERATION_NAME] = semconv.OPERATION_EXECUTE_TOOL
            attributes[semconv.GEN_AI_TOOL_NAME] = name
        elif kind == "llm":
            attributes[semconv.GEN_AI_OPERATION_NAME] = semconv.OPERATION_CHAT
            attributes[semconv.GEN_AI_REQUEST_MODEL] = name
        elif kind == "task":
            attributes[semconv.GEN_AI_OPERATION_NAME] = semconv.OPERATION_INVOKE_WORKFLOW
            attributes[semconv.GEN_AI_WORKFLOW_NAME] = name
        if self.function:
            attributes[semconv.CODE_FUNCTION_NAME] = self.function
        return attributes
