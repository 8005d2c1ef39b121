"""Types of everything that can be decorated, bare and with parentheses; checked by mypy and pyright, never run."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Generic, ParamSpec, Protocol, TypeVar, assert_type, overload

from agentos_otel import agent, stage, task, tool

T = TypeVar("T")
P = ParamSpec("P")


@tool
def generic(item: T, *rest: T, flag: bool = False) -> list[T]:
    return [item, *rest]


@agent("named", produces={"intent_id": "result"})
def generator(count: int) -> Generator[int, str, bytes]:
    yield count
    return b""


@stage("intent", capture=True)
async def async_generator(count: int) -> AsyncIterator[int]:
    yield count


@task(new=True)
async def coroutine(number: int) -> str:
    return str(number)


@overload
def overloaded(given: int) -> int: ...
@overload
def overloaded(given: str) -> str: ...
@tool
def overloaded(given: int | str) -> int | str:
    return given


class Host(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value

    @tool
    def method(self, other: T) -> tuple[T, T]:
        return self.value, other

    @classmethod
    @tool
    def inner_class(cls, value: T) -> Host[T]:
        return cls(value)

    @staticmethod
    @tool("named")
    def inner_static(number: int) -> int:
        return number

    @tool
    @staticmethod
    def outer_static(number: int) -> int:
        return number

    @property
    @tool
    def inner_property(self) -> T:
        return self.value

    @functools.cached_property
    @stage("cached")
    def cached(self) -> T:
        return self.value

    @agent
    async def later(self) -> T:
        return self.value


class Worker(Protocol):
    def work(self, number: int) -> str: ...


class Decorated:
    @tool
    def work(self, number: int) -> str:
        return str(number)


def takes(call: Callable[[int], Awaitable[str]], worker: Worker) -> None: ...


def timed(fn: Callable[P, T]) -> Callable[P, T]:
    return fn


@timed
@tool
def below(number: int) -> int:
    return number


@tool
@timed
def above(number: int) -> int:
    return number


assert_type(generic(1, 2, flag=True), list[int])
assert_type(generator(1), Generator[int, str, bytes])
assert_type(async_generator(1), AsyncIterator[int])
assert_type(overloaded(1), int)
assert_type(overloaded("a"), str)
assert_type(Host(1).method(2), tuple[int, int])
assert_type(Host.inner_static(1), int)
assert_type(Host.outer_static(1), int)
assert_type(Host("a").inner_property, str)
assert_type(Host(1).cached, int)
assert_type(below(1), int)
assert_type(above(number=1), int)
assert_type(tool(functools.partial(int, "1"))(), int)
takes(coroutine, Decorated())
Host.inner_class(1)


async def main() -> None:
    assert_type(await coroutine(1), str)
    assert_type(await Host(1).later(), int)
    await coroutine("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# What is wrong for the bare function is wrong for the decorated one.
generic()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
below("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
tool(3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
stage("x", unknown=1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
