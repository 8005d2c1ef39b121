"""Puts the current span into the environment of child processes: into the copy for the child only."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable, Mapping
from typing import Any, Final

from agentos_otel import guard

_ENV: Final = 10
"""Position of `env` among Popen's arguments; by number, as a signature that another wrapper hides names none."""

_bare: Callable[..., None] | None = None
_hook: Callable[..., None] | None = None


def install(child_environment: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
    """Wrap `subprocess.Popen` (so asyncio's children, `os.popen` and GitPython's too); idempotent.

    Args:
        child_environment: Given the environment that the child would have, returns what to add; empty adds nothing.
    """
    global _bare, _hook  # noqa: PLW0603 - the one function that is wrapped
    if _hook is not None:
        return
    bare = _bare = subprocess.Popen.__init__

    @functools.wraps(bare)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if _hook is not init:
            return bare(self, *args, **kwargs)
        try:
            args, kwargs = _with_environment(args, kwargs, child_environment)
        except Exception as error:  # noqa: BLE001 - the host's child starts all the same
            guard.failed("preparing a child's environment", error)
        return bare(self, *args, **kwargs)

    _hook = init
    subprocess.Popen.__init__ = init  # type: ignore[method-assign]


def _with_environment(
    args: tuple[Any, ...], kwargs: dict[str, Any], child_environment: Callable[[Mapping[str, str]], Mapping[str, str]]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    positional = len(args) > _ENV
    given = args[_ENV] if positional else kwargs.get("env")
    if given is not None and not given:
        return args, kwargs  # an explicit empty environment is what the host wants
    base = os.environ if given is None else given
    # Keys and values may be bytes or paths. Read as text, or a `b"GIT_CONFIG_COUNT"` would not be seen …
    added = child_environment({os.fsdecode(key): os.fsdecode(value) for key, value in base.items()})
    if not added:
        return args, kwargs
    # … and the host's form is kept, without a second entry for a name that we set: the child would see the first.
    copy = {key: value for key, value in base.items() if os.fsdecode(key) not in added}
    copy.update(added)
    if positional:
        return (*args[:_ENV], copy, *args[_ENV + 1 :]), kwargs
    return args, {**kwargs, "env": copy}


def uninstall() -> None:
    """Give `subprocess.Popen` back as it was; where somebody has wrapped it after us, ours only calls on."""
    global _bare, _hook  # noqa: PLW0603 - the one function that is wrapped
    if _bare is not None and subprocess.Popen.__init__ is _hook:
        subprocess.Popen.__init__ = _bare  # type: ignore[method-assign]
    _bare = _hook = None
