"""A call that has made an OpenTelemetry context the current one, until it ends or, a generator, pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.context import Context, attach

if TYPE_CHECKING:
    from contextvars import ContextVar, Token


class CurrentCall:
    """One call and its context: current from `begin` to `detach`, and not between `suspend` and `resume`."""

    token: Token[Context] | None = None
    variable: ContextVar[Context]
    context: Context

    def begin(self, context: Context) -> None:
        """Make `context`, which has what the call is known by, the current one."""
        self.context = context
        self.token = attach(context)

    def suspend(self) -> None:
        """Give the context back as it was; what the call has made current is remembered for `resume`."""
        token, self.token = self.token, None
        if token is None:
            return
        variable = self.variable = token.var
        context = variable.get()
        try:
            variable.reset(token)
        except ValueError:
            return  # as in `detach`
        self.context = context

    def resume(self) -> None:
        """Make the call's context the current one again: a generator goes on where it stood."""
        self.token = self.variable.set(self.context)

    def detach(self) -> bool:
        """Give the context back for good; whether that was possible."""
        token, self.token = self.token, None
        if token is None:
            return False
        try:
            token.var.reset(token)  # OpenTelemetry's own `detach` logs an error where this refuses
        except ValueError:
            return False  # the call ends in another context (closed by the collector, say), which has nothing of ours
        return True
