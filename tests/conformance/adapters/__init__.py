"""What a product has to be told in a few lines, so that the facts can be run on it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Seen:
    """One span that has ended.

    Attributes:
        status: `ok`, `error`, or `cancelled` where the product tells that from both.
        parent: Name of the parent span; None for a root.
    """

    name: str
    parent: str | None
    status: str
    trace_id: str = ""
    span_id: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


def name_of(fn: object) -> str:
    """Return the name that `fn` should have in a trace."""
    return str(getattr(fn, "__name__", type(fn).__name__))


class Adapter:
    """A product; one object for all tests of a session."""

    title: ClassVar[str]
    """Head of the column."""
    distribution: ClassVar[str]
    """What carries the product's version."""
    captures: ClassVar[bool] = True
    """Whether it can record arguments and results at all."""
    log_field: ClassVar[str | None] = None
    """Field of a log record that holds the trace id; None where the product leaves log records alone."""

    @contextmanager
    def recording(self, directory: Path) -> Iterator[None]:
        """Record what is traced in this block, and nothing of before."""
        yield

    def traced(self, fn: F, /) -> F:
        """Return `fn` decorated with the product's main decorator, as its documentation shows it."""
        raise NotImplementedError

    def plain(self, fn: F, /) -> F:
        """Return `fn` decorated with nothing asked for that is not on by itself."""
        return self.traced(fn)

    def capturing(self, fn: F, /) -> F:
        """Return `fn` decorated so that arguments and result are recorded."""
        return self.traced(fn)

    def spans(self) -> list[Seen]:
        """Return the spans that have ended, in the order of their starts."""
        raise NotImplementedError

    def inject(self) -> dict[str, str]:
        """Return a carrier of the current span, for a message."""
        from opentelemetry.propagate import inject

        carrier: dict[str, str] = {}
        inject(carrier)
        return carrier

    @contextmanager
    def extract(self, carrier: Mapping[str, str]) -> Iterator[None]:
        """Make the span in `carrier` the current one in this block."""
        from opentelemetry import context, propagate

        token = context.attach(propagate.extract(carrier))
        try:
            yield
        finally:
            context.detach(token)

    def foreign_tracer(self) -> Tracer:
        """Return the tracer that instrumentation by somebody else gets in this process."""
        from opentelemetry import trace

        return trace.get_tracer("foreign")

    def joined_logs(self) -> AbstractContextManager[None]:
        """Put the ids on log records in this block, where the product does so at its set-up."""
        return nullcontext()

    def joined_children(self) -> AbstractContextManager[None]:
        """Hand the current span to child processes in this block, where the product does so at its set-up."""
        return nullcontext()


def load(name: str) -> Adapter:
    """Return the adapter of the module `name` in this folder."""
    made: Adapter = importlib.import_module(f"{__name__}.{name}").Product()
    return made
