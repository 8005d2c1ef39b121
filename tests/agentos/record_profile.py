"""Records how the points of AgentOS's map look and behave in the host on `sys.path`: for comparing two hosts.

`python record_profile.py OUT STEP FOLDER` runs a step of the driver and appends a line of JSON for each call at a
point: the shape of what it returned, or the type of its exception. The step `signatures` writes one line for each
point: its kind and parameters, or that this version lacks it.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import driver  # type: ignore[import-not-found]  # it lies beside this script

from agentos_otel.instrumentation import imports
from agentos_otel.instrumentation.point_map import MappedPoint, load_map
from agentos_otel.instrumentation.shipped import MAPS
from agentos_otel.model import Point

OUT = Path(sys.argv[1])


def points() -> list[MappedPoint]:
    """Return the points of the map under the package's name here."""
    return [point for point in load_map(MAPS / "agentos.toml").points if point.module.startswith(f"{driver.PACKAGE}.")]


def write(name: str, **values: Any) -> None:
    with OUT.open("a") as file:
        file.write(json.dumps({"point": name, **values}, sort_keys=True) + "\n")


def shape(value: Any) -> Any:
    """Return what a caller relies on: the type, the keys of a dict, the fields of a dataclass, the types in a tuple."""
    if isinstance(value, dict):
        return {"dict": sorted(map(str, value))}
    if dataclasses.is_dataclass(value):
        return {type(value).__name__: sorted(field.name for field in dataclasses.fields(value))}
    if isinstance(value, tuple):
        return {"tuple": [shape(item) for item in value]}
    if isinstance(value, list):
        return {"list": [shape(value[0])] if value else []}
    return "Path" if isinstance(value, Path) else type(value).__name__


def wrap(fn: Callable[..., Any], point: Point) -> Callable[..., Any]:
    """Return `fn` with its outcome written down."""
    name = f"{fn.__module__.partition('.')[2]}:{fn.__qualname__}"

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            result = fn(*args, **kwargs)
        except BaseException as error:
            write(name, raises=type(error).__name__)
            raise
        if inspect.isgenerator(result):
            return generated(result)
        if inspect.iscoroutine(result):
            return awaited(result)
        write(name, returns=shape(result))
        return result

    def generated(generator: Any) -> Any:
        for item in generator:
            write(name, yields=shape(item))
            yield item

    async def awaited(coroutine: Any) -> Any:
        try:
            result = await coroutine
        except BaseException as error:
            write(name, raises=type(error).__name__)
            raise
        write(name, returns=shape(result))
        return result

    return call


def signatures() -> None:
    """Write each point's kind and parameters."""
    for point in points():
        name = f"{point.module.partition('.')[2]}:{point.qualname}"
        try:
            importlib.import_module(f"{driver.PACKAGE}.core.mode")
            found: Any = importlib.import_module(point.module)
            for word in point.qualname.split("."):
                found = inspect.getattr_static(found, word)
        except (ImportError, AttributeError) as error:
            write(name, absent=type(error).__name__)
            continue
        kind = "static" if isinstance(found, staticmethod) else "plain"
        found = getattr(found, "__func__", found)
        for check in ("iscoroutinefunction", "isgeneratorfunction"):
            kind += f" {check[2:-8]}" if getattr(inspect, check)(found) else ""
        parameters = [
            f"{item.kind.name.lower()} {item.name}" + ("" if item.default is item.empty else f" = {item.default!r}")
            for item in inspect.signature(found).parameters.values()
        ]
        write(name, kind=kind, parameters=parameters)


if __name__ == "__main__":
    if sys.argv[2] == "signatures":
        signatures()
    else:
        imports.activate([load_map(MAPS / "agentos.toml")], wrap)
        driver.main(sys.argv[2], sys.argv[3])
