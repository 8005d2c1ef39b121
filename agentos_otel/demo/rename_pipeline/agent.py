"""The agent: reads a rename out of a request, and carries it out in a file's text."""

from __future__ import annotations

import keyword
import logging
import re
from dataclasses import dataclass
from typing import Final

from rename_pipeline import model, renaming, tools
from rename_pipeline.errors import BadInputError, PipelineError

_LOG: Final = logging.getLogger(__name__)
_REQUEST: Final = re.compile(
    r"\brename\s+(?:the\s+)?(?:(?:function|class|method|variable|name|identifier|attribute|constant|parameter)\s+)?"
    r"(\S+)\s+(?:in)?to\s+(\S+)",
    re.IGNORECASE,
)
_QUOTES: Final = "`'\".,;:"


@dataclass(frozen=True, slots=True)
class Rename:
    """An identifier and what it shall be called."""

    old: str
    new: str


class RenameAgent:
    """Deterministic, unless it is given the name of a model for its plan.

    Attributes:
        rename: What was planned, or what the agent was made for.
    """

    def __init__(self, rename: Rename | None = None, model_name: str = "") -> None:
        self.rename = rename
        self._model_name = model_name

    def plan(self, request: str) -> Rename:
        """Return the rename that `request` asks for, and keep it for `edit`.

        Raises:
            BadInputError: It asks for none, or for one that cannot be.
        """
        if self._model_name:
            old, new = model.ask_for_rename(self._model_name, request)
        elif match := _REQUEST.search(request):
            old, new = match[1].strip(_QUOTES), match[2].strip(_QUOTES)
        else:
            raise BadInputError(f"{request!r} asks for no rename: say 'rename X to Y'")
        for name in (old, new):
            if not name.isidentifier() or keyword.iskeyword(name):
                raise BadInputError(f"{name!r} is not a Python identifier")
        if old == new:
            raise BadInputError(f"{old!r} has that name already")
        self.rename = Rename(old, new)
        _LOG.info("planned: rename %s to %s", old, new)
        return self.rename

    def edit(self, path: str, source: str) -> str:
        """Return `source` with the planned rename carried out.

        Raises:
            PipelineError: Nothing was planned, or the outcome is no Python.
        """
        if self.rename is None:
            raise PipelineError(f"nothing is planned for {path}")
        edited = renaming.rename(source, self.rename.old, self.rename.new)
        if not tools.check_syntax(path, edited):
            raise PipelineError(f"{path} would not parse after the rename")
        return edited
