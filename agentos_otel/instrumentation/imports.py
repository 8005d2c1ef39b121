"""Wraps the points of maps right after their modules are imported; runs programs whose points are in `__main__`."""

from __future__ import annotations

import ast
import runpy
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from agentos_otel import guard
from agentos_otel.instrumentation.patching import Wrap, apply

if TYPE_CHECKING:
    from agentos_otel.instrumentation.point_map import MappedPoint, PointMap

_waiting: dict[str, list[MappedPoint]] = defaultdict(list)
_states: dict[tuple[str, str], str] = {}
_wrap: Wrap | None = None

_DECORATOR = "__agentos_otel_wrap__"


def activate(maps: Iterable[PointMap], wrap: Wrap) -> None:
    """Wrap the points of `maps` now where their module is imported, else after its import; idempotent."""
    global _wrap  # noqa: PLW0603 - one activation a process
    _wrap = wrap
    for point_map in maps:
        for mapped in point_map.points:
            key = (mapped.module, mapped.qualname)
            if key in _states:
                continue
            _states[key] = "waiting"
            module = sys.modules.get(mapped.module)
            if module is not None and getattr(module, "__spec__", None) is not None and not _initializing(module):
                _apply(module, mapped, late=True)
                continue
            if mapped.module not in _waiting:
                # Imported only here: wrapt brings asyncio in, 65 ms that a program without a map need not pay.
                import wrapt

                wrapt.register_post_import_hook(_imported, mapped.module)
            _waiting[mapped.module].append(mapped)


def _initializing(module: ModuleType) -> bool:
    return bool(getattr(module.__spec__, "_initializing", False))


def _imported(module: ModuleType) -> None:
    # An exception in a post-import hook makes the host's own import fail.
    for mapped in _waiting.pop(module.__name__, ()):
        _apply(module, mapped)


def _apply(module: ModuleType, mapped: MappedPoint, *, late: bool = False) -> None:
    assert _wrap is not None  # noqa: S101 - for the type checker
    done = guard.guarded(f"wrapping {mapped.module}:{mapped.qualname}", apply, module, mapped, _wrap)
    late_alias = late and "." not in mapped.qualname
    state = "missing" if not done else "late: names taken from the module before stay bare" if late_alias else "wrapped"
    _states[(mapped.module, mapped.qualname)] = state


def report() -> dict[str, str]:
    """Return what became of each point: waiting for its module, wrapped, missing, or late."""
    return {f"{module}:{qualname}": state for (module, qualname), state in sorted(_states.items())}


# --- programs ---


def run_module(name: str, arguments: list[str]) -> None:
    """Run a module as `python -m NAME …` does, its own points wrapped."""
    sys.argv = [name, *arguments]
    sys.path.insert(0, str(Path.cwd()))
    if name in _waiting:
        sys.meta_path.insert(0, _MainFinder(name))
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def run_path(path: str, arguments: list[str]) -> None:
    """Run a script as `python PATH …` does, its own points wrapped (a map names it by its file's stem)."""
    sys.argv = [path, *arguments]
    sys.path.insert(0, str(Path(path).resolve().parent))
    stem = Path(path).stem
    if stem not in _waiting:
        runpy.run_path(path, run_name="__main__")
        return
    try:
        source = Path(path).read_bytes()
    except OSError as error:
        sys.exit(f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}")
    main = ModuleType("__main__")
    main.__dict__.update(__file__=path, __cached__=None, __builtins__=__builtins__)
    sys.modules["__main__"] = main
    _provide(main.__dict__)
    exec(_code_with_points(source, path, _waiting[stem]), main.__dict__)  # noqa: S102 - it is the user's program


class _MainFinder:
    """Finds the one module that runs as `__main__`, and compiles it with its points decorated.

    A post-import hook comes too late for it: its functions are used before its body has ended.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the module's own spec, with a loader whose code has the points decorated."""
        if name != self._name:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None and hasattr(spec.loader, "get_source"):
            bare, points = spec.loader.get_code, _waiting[name]  # type: ignore[attr-defined]

            def get_code(fullname: str) -> CodeType | None:
                source = spec.loader.get_source(fullname)  # type: ignore[union-attr]
                code = guard.guarded("decorating the main module", _code_with_points, source, spec.origin, points)
                _provide()
                return code if code is not None else bare(fullname)  # type: ignore[no-any-return]

            spec.loader.get_code = get_code  # type: ignore[attr-defined]
        return spec


def _provide(namespace: dict[str, Any] | None = None) -> None:
    """Make the decorator known to the main module's code: a builtin, as runpy makes the module's namespace itself."""
    import builtins

    wanted = {(mapped.qualname): mapped for points in _waiting.values() for mapped in points}

    def decorate(qualname: str) -> Any:
        mapped = wanted[qualname]
        _states[(mapped.module, qualname)] = "wrapped"
        return lambda fn: _wrap(fn, mapped.point) if _wrap is not None else fn

    setattr(builtins, _DECORATOR, decorate)
    if namespace is not None:
        namespace[_DECORATOR] = decorate


def _code_with_points(source: str | bytes, path: str, points: list[MappedPoint]) -> CodeType:
    tree = ast.parse(source, path)
    wanted = {mapped.qualname for mapped in points}
    _decorate(tree.body, "", wanted)
    return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


def _decorate(body: list[ast.stmt], prefix: str, wanted: set[str]) -> None:
    for node in body:
        if isinstance(node, ast.ClassDef):
            _decorate(node.body, f"{prefix}{node.name}.", wanted)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and prefix + node.name in wanted:
            call = ast.Call(ast.Name(_DECORATOR, ast.Load()), [ast.Constant(prefix + node.name)], [])
            # Innermost, below @staticmethod and its like: it must get the plain function.
            node.decorator_list.append(ast.copy_location(call, node))
