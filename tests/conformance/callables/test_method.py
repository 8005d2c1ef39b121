"""Methods bind, of inner and nested classes too; bound methods are equal to themselves."""

from __future__ import annotations

from typing import Any

from tests.conformance.compare import Decorate, alike


def test_a_method_and_one_of_a_nested_class(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        class Host:
            def __init__(self, base: int) -> None:
                self.base = base

            @decorate
            def add(self, number: int) -> int:
                return self.base + number

            class Inner:
                @decorate
                def twice(self, number: int) -> int:
                    return 2 * number

        host = Host(1)
        bound: Any = host.add
        return [
            host.add(2),
            Host.add(host, 3),
            bound(4),
            bound == host.add,
            bound.__self__ is host,
            Host.Inner().twice(5),
        ]

    assert alike(scenario, traced) == [3, 4, 5, True, True, 10]
    assert [name for name, _, _ in shape()] == ["add", "add", "add", "twice"]


def test_coroutine_and_generator_methods(traced: Decorate) -> None:
    async def scenario(decorate: Decorate) -> list[Any]:
        class Host:
            @decorate
            async def later(self, number: int) -> int:
                return number

            @decorate
            def numbers(self, count: int) -> Any:
                yield from range(count)

            @decorate
            async def numbers_later(self, count: int) -> Any:
                for number in range(count):
                    yield number

        host = Host()
        return [await host.later(1), list(host.numbers(2)), [number async for number in host.numbers_later(2)]]

    assert alike(scenario, traced) == [1, [0, 1], [0, 1]]


def test_magic_methods(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        class Host:
            @decorate
            def __init__(self, number: int) -> None:
                self.number = number

            @decorate
            def __call__(self, number: int) -> int:
                return self.number + number

            @decorate
            def __len__(self) -> int:
                return self.number

            @decorate
            def __enter__(self) -> int:
                return self.number

            @decorate
            def __exit__(self, *error: object) -> bool:
                return error[0] is ValueError

        host = Host(3)
        with host as entered:
            raise ValueError
        return [host(1), len(host), entered]

    assert alike(scenario, traced) == [4, 3, 3]
