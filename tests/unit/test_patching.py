"""Patching a module: every kind of callable is wrapped once and keeps its kind; what is not there is passed over."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from agentos_otel import guard
from agentos_otel.instrumentation.patching import MARK, aliases, apply
from agentos_otel.instrumentation.point_map import MappedPoint
from agentos_otel.model import Point

SOURCE = """
import functools

def function(a, b=2): return a + b
async def coroutine(): return 1
@functools.lru_cache
def cached(a): return a
@functools.singledispatch
def single(a): return "object"
constant = 3
class Command:
    def __call__(self): return 1
command = Command()
class Base:
    def inherited(self): return type(self).__name__
    @classmethod
    def made(cls): return cls.__name__
class Host(Base):
    def method(self, a): return a
    @staticmethod
    def static(a): return a
    @classmethod
    def klass(cls, a): return (cls.__name__, a)
    @property
    def prop(self): "doc"; return 5
    @prop.setter
    def prop(self, value): self.was_set = value
    def __private(self): return "private"
    def reveal(self): return self.__private()
    class Inner:
        def deep(self): return "deep"
class Slotted:
    __slots__ = ()
    def method(self): return 1
class Guarded(type):
    def __setattr__(cls, name, value): raise AttributeError(name)
class Closed(metaclass=Guarded):
    def method(self): return 1
"""


class Calls(list[str]):
    """A wrap that records: it knows nothing of spans."""

    def wrap(self, fn: Callable[..., Any], point: Point) -> Callable[..., Any]:
        @functools.wraps(fn)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self.append(point.name)
            return fn(*args, **kwargs)

        return wrapper


@pytest.fixture
def host() -> Iterator[Any]:
    module = ModuleType("host_of_patching")
    exec(SOURCE, module.__dict__)
    sys.modules["host_of_patching"] = module
    yield module
    del sys.modules["host_of_patching"]


def mapped(qualname: str) -> MappedPoint:
    return MappedPoint("host_of_patching", qualname, Point("tool", qualname), lambda: 1)


@pytest.mark.parametrize(
    ("qualname", "call", "expected"),
    [
        ("function", lambda m: m.function(1, b=4), 5),
        ("cached", lambda m: (m.cached(1), m.cached.cache_info().misses), (1, 1)),
        ("single", lambda m: (m.single.register(int, lambda a: "int"), m.single(1))[1], "int"),
        ("Host.method", lambda m: m.Host().method(3), 3),
        ("Host.static", lambda m: (m.Host.static(1), m.Host().static(2)), (1, 2)),
        ("Host.klass", lambda m: (m.Host.klass(1), m.Host().klass(2)), (("Host", 1), ("Host", 2))),
        ("Host.prop", lambda m: m.Host().prop, 5),
        ("Host.inherited", lambda m: m.Host().inherited(), "Host"),
        ("Host.made", lambda m: m.Host.made(), "Host"),
        ("Host.__private", lambda m: m.Host().reveal(), "private"),
        ("Host.Inner.deep", lambda m: m.Host.Inner().deep(), "deep"),
        ("Slotted.method", lambda m: m.Slotted().method(), 1),
    ],
)
def test_each_kind_is_wrapped_once_and_answers_as_before(
    host: Any, qualname: str, call: Callable[[Any], Any], expected: object
) -> None:
    calls = Calls()
    for _ in range(3):
        assert apply(host, mapped(qualname), calls.wrap)
    assert call(host) == expected
    asked = 2 if qualname in ("Host.static", "Host.klass") else 1
    assert calls == [qualname] * asked


def test_kind_signature_and_documentation_stay(host: Any) -> None:
    calls = Calls()
    for qualname in ("function", "Host.static", "Host.klass", "Host.prop"):
        assert apply(host, mapped(qualname), calls.wrap)
    assert inspect.signature(host.function) == inspect.Signature.from_callable(lambda a, b=2: a + b)
    assert isinstance(vars(host.Host)["static"], staticmethod)
    assert isinstance(vars(host.Host)["klass"], classmethod)
    one = host.Host()
    one.prop = 7
    assert (one.was_set, host.Host.prop.__doc__) == (7, "doc")
    assert hasattr(host.function, MARK)


def test_an_inherited_method_is_wrapped_on_the_named_class_alone(host: Any) -> None:
    calls = Calls()
    assert apply(host, mapped("Host.inherited"), calls.wrap)
    assert host.Base().inherited() == "Base"
    assert calls == []
    assert apply(host, mapped("Base.inherited"), calls.wrap)
    host.Host().inherited()
    assert calls == ["Host.inherited"], "one call, one span"


def test_a_method_that_is_wrapped_on_its_base_is_not_wrapped_again_below(host: Any) -> None:
    calls = Calls()
    assert apply(host, mapped("Base.inherited"), calls.wrap)
    assert apply(host, mapped("Host.inherited"), calls.wrap)
    host.Host().inherited()
    assert calls == ["Base.inherited"]


@pytest.mark.parametrize(
    "qualname", ["gone", "Gone.method", "Host.gone", "function.inner", "constant", "Host", "command", "constant.real"]
)
def test_what_is_not_there_or_no_function_is_passed_over(host: Any, qualname: str) -> None:
    before = dict(vars(host))
    assert not apply(host, mapped(qualname), Calls().wrap)
    assert vars(host) == before


def test_no_failure_reaches_the_host(host: Any) -> None:
    def broken(fn: Callable[..., Any], point: Point) -> Callable[..., Any]:
        raise ValueError(point.name)

    assert not apply(host, mapped("function"), broken)
    assert not apply(host, mapped("Closed.method"), Calls().wrap)
    assert host.function(1) == 3
    assert host.Closed().method() == 1


def test_our_own_tests_see_the_failure(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "raise_failures", True)
    with pytest.raises(AttributeError):
        apply(host, mapped("Closed.method"), Calls().wrap)


def test_names_that_others_took_before_are_told_and_lazy_modules_are_left_alone(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(f"loaded by a look at {name}")

    user: Any = ModuleType("user_of_host")
    user.mine = host.function
    monkeypatch.setitem(sys.modules, "user_of_host", user)
    monkeypatch.setitem(sys.modules, "lazy_module", Lazy("lazy_module"))
    assert aliases(host, mapped("function")) == ("user_of_host.mine",)
    assert aliases(host, mapped("Host.method")) == ()


def test_the_function_of_an_object_that_a_decorator_made_is_wrapped_there(host: Any) -> None:
    host.command.callback = host.function
    calls = Calls()
    assert apply(host, mapped("command.callback"), calls.wrap)
    assert (host.command.callback(1), calls) == (3, ["command.callback"])
    assert not hasattr(host.function, MARK), "only the object holds the wrapper"
