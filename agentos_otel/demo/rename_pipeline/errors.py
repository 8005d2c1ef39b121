"""The pipeline's errors; each carries the exit code of the process that it ends."""

from __future__ import annotations


class PipelineError(Exception):
    """A stage could not do its work; the message is one line for the user."""

    exit_code = 1


class BadInputError(PipelineError):
    """What the user or an earlier stage handed over cannot be worked with."""

    exit_code = 2
