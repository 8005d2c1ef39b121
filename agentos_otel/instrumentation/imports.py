"""Wraps the points of maps right after their modules are imported; runs programs whose points are in `__main__`."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from agentos_otel import guard
from agentos_otel.instrumentation.patching import Wrap, aliases, apply, wrapped

if TYPE_CHECKING:
    from agentos_otel.instrumentation.point_map import MappedPoint, PointMap

_PLACE: Final = "\0agentos_otel:"
"""Begins the constant that stands for a decorator until the code is compiled."""


class Instrumentation:
    """The points of this process and what became of each."""

    def __init__(self) -> None:
        self._points: dict[str, dict[str, MappedPoint]] = {}
        self._states: dict[tuple[str, str], str] = {}
        self._wrap: Wrap | None = None

    def activate(self, maps: Iterable[PointMap], wrap: Wrap) -> None:
        """Wrap the points of `maps`: now where their module is imported, else right after its import; idempotent."""
        self._wrap = self._wrap or wrap
        for mapped in [mapped for point_map in maps for mapped in point_map.points]:
            if (mapped.module, mapped.qualname) not in self._states:
                guard.guarded(f"hooking {mapped.module}", self._add, mapped)
        # `python -m`: site.py, and so sitecustomize, runs before the module is looked for; argv says so until then.
        if self._points and sys.argv[:1] == ["-m"]:
            self.find_main()

    def report(self) -> dict[str, str]:
        """Return what became of each point.

        `waiting`: its module is not imported. `wrapped`. `missing`: this version of the host has no such target.
        `late`: wrapped after others could take the function from its module; what they took stays bare.
        """
        return {f"{module}:{qualname}": state for (module, qualname), state in sorted(self._states.items())}

    def _add(self, mapped: MappedPoint) -> None:
        hooked = mapped.module in self._points
        self._points.setdefault(mapped.module, {})[mapped.qualname] = mapped
        self._states[mapped.module, mapped.qualname] = "waiting"
        module = sys.modules.get(mapped.module)
        spec = _spec(module)
        if module is not None and spec is not None and getattr(spec, "_initializing", False):
            # Its body runs now and has called us. wrapt takes it for imported, and would find half of it.
            _when_done(spec, self._imported)
        elif module is not None:
            self._apply(module, mapped, late=True)
        elif not hooked:
            # Imported only here: wrapt brings asyncio in, 65 ms that a program without a map need not pay.
            import wrapt

            wrapt.register_post_import_hook(self._imported, mapped.module)

    def _imported(self, module: ModuleType) -> None:
        # An exception in a post-import hook makes the host's own import fail.
        for mapped in list(self._points.get(module.__name__, {}).values()):
            guard.guarded(f"wrapping in {module.__name__}", self._apply, module, mapped)

    def _apply(self, module: ModuleType, mapped: MappedPoint, *, late: bool = False) -> None:
        assert self._wrap is not None  # noqa: S101 - for the type checker
        late = late and "." not in mapped.qualname
        taken = aliases(module, mapped) if late else ()
        done = apply(module, mapped, self._wrap)
        key = (mapped.module, mapped.qualname)
        if done or self._states[key] != "wrapped":  # it may be wrapped in `__main__`
            self._states[key] = "missing" if not done else "late" if late else "wrapped"
        if done and taken:
            guard.warn_once(
                f"late {key}",
                "%s:%s was imported before tracing was activated: not traced where it is called as %s",
                *key,
                ", ".join(taken),
            )

    # --- the module that runs as `__main__` ---

    def find_main(self) -> None:
        """Decorate the points of a module that runpy will run as `__main__`; a post-import hook comes too late."""
        if not any(isinstance(finder, _MainFinder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _MainFinder(self))

    def has_points(self, module: str) -> bool:
        """Return whether a map names `module`."""
        return module in self._points

    def code_of(self, source: str | bytes, path: str, module: str) -> CodeType | None:
        """Return the code of `source` with a decorator on each point of `module`; None where it is no Python.

        Lines and names stay as they are.

        The decorators are constants of the code: a name, in the module or among the builtins, could be seen by the
        host or shadowed by it.
        """
        try:
            tree: ast.Module = compile(source, path, "exec", int(ast.PyCF_ONLY_AST), dont_inherit=True)
        except (SyntaxError, ValueError):
            return None  # the bare way says it in the interpreter's words
        points = self._points[module]
        found = set(_decorate(tree.body, "", points))
        for qualname in points.keys() - found:
            self._states[module, qualname] = "missing"
        code = compile(tree, path, "exec", dont_inherit=True)
        return _filled(code, {_PLACE + qualname: self._decorator(points[qualname]) for qualname in found})

    def _decorator(self, mapped: MappedPoint) -> Callable[[Any], Any]:
        def decorate(fn: Any) -> Any:
            assert self._wrap is not None  # noqa: S101 - for the type checker
            place = f"wrapping {mapped.module}:{mapped.qualname}"
            wrapper = guard.guarded(place, wrapped, fn, mapped.point, self._wrap)
            self._states[mapped.module, mapped.qualname] = "missing" if wrapper is None else "wrapped"
            return fn if wrapper is None else wrapper

        return decorate


_process: Final = Instrumentation()
activate: Final = _process.activate
report: Final = _process.report


def run_module(name: str, arguments: Sequence[str]) -> None:
    """Run a module as `python -m NAME ...` does, its own points decorated."""
    import runpy

    sys.argv[:] = ["-m", *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = os.getcwd()  # noqa: PTH109 - the text that python itself puts there
    _process.find_main()
    _new_main()
    # Not runpy.run_module: it runs the module in a namespace that is taken away at the end, when threads and atexit
    # functions still need it. This is what the interpreter itself calls for -m.
    _run(lambda: runpy._run_module_as_main(name))  # type: ignore[attr-defined]


def run_path(path: str, arguments: Sequence[str]) -> None:
    """Run a script as `python PATH ...` does, its own points decorated (a map names it by its file's stem)."""
    sys.argv[:] = [path, *arguments]
    file = os.path.join(os.getcwd(), path)  # noqa: PTH109, PTH118 - not normalised, as the interpreter does it
    if os.path.isdir(path) or _is_zip(path):  # noqa: PTH112
        import runpy

        sys.path[0] = file
        _new_main()
        _run(lambda: runpy._run_module_as_main("__main__", False))  # type: ignore[attr-defined]
        return
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(os.path.realpath(path))  # noqa: PTH120
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            source = stream.read()
    except OSError as error:
        sys.stderr.write(f"{sys.executable}: can't open file {file!r}: [Errno {error.errno}] {error.strerror}\n")
        sys.exit(2)
    namespace = _new_main().__dict__
    loader = SourcelessFileLoader if path.endswith(".pyc") else SourceFileLoader
    namespace.update(__file__=file, __cached__=None, __loader__=loader("__main__", file))
    _run(lambda: exec(_script_code(source, path, file, namespace), namespace))  # noqa: S102 - the user's program


def _script_code(source: bytes, path: str, file: str, namespace: dict[str, Any]) -> CodeType:
    if path.endswith(".pyc"):
        code = namespace["__loader__"].get_code("__main__")
        assert isinstance(code, CodeType)  # noqa: S101 - for the type checker
        return code
    stem = os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122
    found = guard.guarded("decorating the script", _process.code_of, source, file, stem) if (
        _process.has_points(stem)
    ) else None  # fmt: skip
    return found or compile(source, file, "exec", dont_inherit=True)


def _is_zip(path: str) -> bool:
    if path.endswith((".py", ".pyc")) or not os.path.isfile(path):  # noqa: PTH113 - a look into a pipe would empty it
        return False
    import zipfile

    return zipfile.is_zipfile(path)


def _new_main() -> ModuleType:
    """Put a `__main__` as the interpreter makes it in the place of the one that holds our own program."""
    import builtins

    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    return main


def _run(call: Callable[[], object]) -> None:
    """Call, and end on an exception as the interpreter does, without our frames in its traceback."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - shown, and the process ends
        _die(error)


def _die(error: Exception) -> NoReturn:
    ours = _die.__code__.co_filename
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames += [trace] if trace.tb_frame.f_code.co_filename != ours else []
        trace = trace.tb_next
    for frame in reversed(frames):
        frame.tb_next, trace = trace, frame
    error.__traceback__ = sys.last_traceback = trace
    sys.last_type = type(error)
    sys.last_value = sys.last_exc = error  # type: ignore[attr-defined]  # last_exc: 3.12
    sys.excepthook(type(error), error, trace)
    raise SystemExit(1) from None


class _MainFinder:
    """Finds modules with points as the other finders do, with a loader that gives runpy their code decorated."""

    def __init__(self, owner: Instrumentation) -> None:
        self._owner = owner
        self._busy = False

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the spec that the other finders have for `name`, or None to leave it to them."""
        if self._busy or not self._owner.has_points(name):
            return None
        self._busy = True  # wrapt's finder asks all finders again
        try:
            specs = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
            spec = next((spec for spec in specs if spec is not None), None)
        finally:
            self._busy = False
        if spec is not None and hasattr(spec.loader, "get_source"):
            guard.guarded(f"watching {name}", self._watch, spec)
        return spec

    def _watch(self, spec: ModuleSpec) -> None:
        loader: Any = getattr(spec.loader, "__wrapped__", spec.loader)  # from wrapt's proxy
        bare = loader.get_code

        def get_code(fullname: str) -> CodeType | None:
            # The import system asks here too, when a package imports the module that is then run: only the code that
            # runpy asks for becomes `__main__`; in the imported one the points are wrapped after its import.
            if sys._getframe(1).f_globals.get("__name__") == "runpy":
                spec.loader = loader  # wrapt takes its proxy away only after an import
                code = guard.guarded("decorating the main module", self._decorated, loader, fullname)
                if code is not None:
                    return code  # type: ignore[no-any-return]
            return bare(fullname)  # type: ignore[no-any-return]

        # On the object: a loader of another type would show as `__loader__`.
        loader.get_code = get_code

    def _decorated(self, loader: Any, name: str) -> CodeType | None:
        source = loader.get_source(name)
        return None if source is None else self._owner.code_of(source, loader.get_filename(name), name)


def _decorate(body: list[ast.stmt], prefix: str, wanted: Iterable[str]) -> Iterable[str]:
    """Put a constant as the innermost decorator on each wanted def; yield what was found."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _decorate(node.body, f"{prefix}{node.name}.", wanted)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            accessor = any(isinstance(item, ast.Attribute) and item.attr in ("setter", "deleter")
                           for item in node.decorator_list)  # fmt: skip
            if prefix + node.name in wanted and not accessor:
                # Innermost, below @staticmethod and its like: it must get the plain function.
                node.decorator_list.append(ast.copy_location(ast.Constant(_PLACE + prefix + node.name), node))
                yield prefix + node.name
        else:  # if, try, with, for, match
            for field in ("body", "orelse", "finalbody", "handlers", "cases"):
                for inner in getattr(node, field, None) or ():
                    yield from _decorate(inner.body if hasattr(inner, "pattern") or isinstance(inner, ast.ExceptHandler)
                                         else [inner], prefix, wanted)  # fmt: skip


def _filled(code: CodeType, decorators: dict[str, Any]) -> CodeType:
    """Return `code` with the decorators in the place of the constants that stand for them."""
    return code.replace(
        co_consts=tuple(
            _filled(item, decorators) if isinstance(item, CodeType)
            else decorators.get(item, item) if isinstance(item, str) else item
            for item in code.co_consts
        )
    )  # fmt: skip


def _spec(module: ModuleType | None) -> ModuleSpec | None:
    # Not getattr: a lazy module is loaded by it.
    values = object.__getattribute__(module, "__dict__") if isinstance(module, ModuleType) else {}
    spec = values.get("__spec__")
    return spec if isinstance(spec, ModuleSpec) else None


def _when_done(spec: ModuleSpec, call: Callable[[ModuleType], None]) -> None:
    """Call with the module of `spec` once its body has ended: the import system unsets a flag of its spec then."""
    if type(spec) is not ModuleSpec:
        return

    class Announcing(ModuleSpec):
        def __setattr__(self, name: str, value: Any) -> None:
            object.__setattr__(self, name, value)
            if name == "_initializing" and not value:
                spec.__class__ = ModuleSpec
                module = sys.modules.get(spec.name)
                if module is not None:
                    call(module)

    spec.__class__ = Announcing
