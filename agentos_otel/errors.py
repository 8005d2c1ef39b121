"""Every exception a user can meet.

AgentosOtelError                what the user can put right: one line, exit code 2, no traceback
├── ConfigurationError          a setting, an argument or a map of points is wrong
├── NotFoundError               no such task, session or id
├── AmbiguousError              a prefix or an id that several tasks share
├── TransitionError             a change of status that the life cycle forbids
├── BackendError                a tracing backend cannot be asked
└── StorageError                a store cannot be read or written
    ├── StorageTimeout          … did not answer in time
    └── UnstorableError         … does not take such a value
"""

from __future__ import annotations


class AgentosOtelError(Exception):
    """Base of all our errors; the message is one sentence that says what to do."""


class ConfigurationError(AgentosOtelError):
    """A setting, a command-line argument or a map of points is wrong."""


class NotFoundError(AgentosOtelError):
    """No task, session or record has that id."""


class AmbiguousError(AgentosOtelError):
    """Several tasks share that prefix or id."""


class TransitionError(AgentosOtelError):
    """The life cycle of a task does not allow that change of status."""


class BackendError(AgentosOtelError):
    """A tracing backend (Jaeger) cannot be reached, or does not answer as one."""


class StorageError(AgentosOtelError):
    """A database or journal cannot be opened, read or written."""


class StorageTimeout(StorageError):  # noqa: N818 - reads as what happened
    """A database did not answer within the time the traced program may wait."""


class UnstorableError(StorageError):
    """A database works, and takes no such value: what was to be written is at fault."""
