"""Functions that other processes find by name; decorated by `decorate_all`, with the product's or with none."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tests.conformance.compare import Decorate


def _double(number: int) -> int:
    return 2 * number


def _pid(number: int) -> tuple[int, bool]:
    return number, os.getpid() != number


def add(left: int, right: int) -> int:
    return left + right


double: Callable[[int], int] = _double
other_process: Callable[[int], tuple[int, bool]] = _pid


class Host:
    def __init__(self, base: int) -> None:
        self.base = base

    def add(self, number: int) -> int:
        return self.base + number


_bare: dict[str, Any] = {"double": _double, "other_process": _pid, "add": Host.add}


def decorate_all(decorate: Decorate) -> None:
    """Put the functions of this module in their places, decorated."""
    for name in ("double", "other_process"):
        _bare[name].__name__ = _bare[name].__qualname__ = name
        globals()[name] = decorate(_bare[name])
    Host.add = decorate(_bare["add"])  # type: ignore[method-assign]
