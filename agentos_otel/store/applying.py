"""Applies operations that journals hold: what can never be applied is set aside, and stops no other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from agentos_otel.errors import StorageError, StorageTimeout, UnstorableError
from agentos_otel.model import Operation
from agentos_otel.store.segments import count_of
from agentos_otel.tasks.operations import APPLY

if TYPE_CHECKING:
    from agentos_otel.tasks.store import TaskStore

_IDS: Final = {
    "trace_id": re.compile("[0-9a-f]{32}|"),
    "root_span_id": re.compile("[0-9a-f]{16}|"),
    "span_id": re.compile("[0-9a-f]{16}|"),
}
_NUMBERS: Final = ("at", "attempt", "started_ns", "ended_ns")
_FAULTS: Final = (UnstorableError, LookupError, TypeError, ValueError, AttributeError)


def is_well_formed(operation: Operation) -> bool:
    """Whether we know the operation, and its ids and numbers are such: who reads them must meet nothing else."""
    links = operation.get("links", [])
    return (
        operation.get("op") in APPLY
        and isinstance(operation.get("task_id", ""), str)
        and all(operation[key] == count_of(operation[key]) for key in _NUMBERS if operation.get(key) is not None)
        and all(_is_id(key, operation[key]) for key in _IDS if operation.get(key) is not None)
        and isinstance(links, list)
        and all(map(_is_link, links))
    )


def _is_id(key: str, value: object) -> bool:
    return isinstance(value, str) and _IDS[key].fullmatch(value) is not None


def _is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_id, ("trace_id", "span_id"), value))


def apply(store: TaskStore, told: Sequence[Operation], timeout: float | None = None) -> list[int]:
    """Apply operations in order; returns the places of those that can never be applied.

    Args:
        store: The task store.
        told: The operations.
        timeout: Seconds that each transaction may take; None takes the store's own.

    Raises:
        StorageError: The store takes none of them.
    """
    good = [number for number, operation in enumerate(told) if is_well_formed(operation)]
    spoilt = sorted({*range(len(told))} - {*good})
    try:
        if good:
            store.apply([told[number] for number in good], timeout=timeout)
    except StorageTimeout:
        raise
    except (StorageError, *_FAULTS) as error:
        spoilt += _apply_each(store, told, good, timeout, error)
    return spoilt


def _apply_each(
    store: TaskStore, told: Sequence[Operation], good: list[int], timeout: float | None, error: Exception
) -> list[int]:
    """Apply one by one: an operation that a newer version or a fault has spoilt must not stop the others."""
    spoilt, refused = [], 0
    for number in good:
        try:
            store.apply([told[number]], timeout=timeout)
        except StorageTimeout:
            raise
        except _FAULTS:
            spoilt.append(number)
        except StorageError:
            refused += 1
            spoilt.append(number)
    if isinstance(error, StorageError) and refused == len(good):
        raise error
    return spoilt
