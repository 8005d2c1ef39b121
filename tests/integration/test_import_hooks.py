"""Activation in real processes: import order, `__main__` by `-m` and by script, and the sitecustomize of `run`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from agentos_otel.instrumentation.site_path import SITE, environment

ROOT = Path(__file__).parents[2]

STAND_IN = """
import atexit, functools, json, os, sys
from agentos_otel.instrumentation import imports
from agentos_otel.instrumentation.point_map import parse_map

calls = []

def wrap(fn, point):
    @functools.wraps(fn)
    def wrapper(*args, **kwargs):
        calls.append(point.name)
        return fn(*args, **kwargs)
    return wrapper

def activate(*targets):
    rows = "".join(f'[[point]]\\ntarget = "{target}"\\nkind = "tool"\\n' for target in targets)
    imports.activate([parse_map('name = "map"\\n' + rows, "map")], wrap)

def out():
    with open("seen.json", "w") as stream:
        json.dump({"calls": calls, "report": imports.report()}, stream)

atexit.register(out)
if os.environ.get("TARGETS"):
    activate(*os.environ["TARGETS"].split())
"""

MAIN = """\
import sys
def bare(): return 1
if True:
    @staticmethod
    def work(a): return a
class Host:
    @property
    def value(self): return 2
    @value.setter
    def value(self, to): self.to = to
    class Inner:
        async def deep(self): return 3
if __name__ == "__main__":
    import asyncio
    host = Host()
    host.value = 5
    print(bare(), work(1), host.value, host.to, asyncio.run(Host.Inner().deep()))
"""


class Folder:
    """A folder that is the current directory of the processes that run in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        self.write("stand_in.py", STAND_IN)

    def write(self, name: str, code: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(code))

    def run(self, *arguments: str, targets: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        both = {**self.environ, "TARGETS": targets, **environ}
        return subprocess.run(command, cwd=self.path, env=both, capture_output=True, text=True, check=False, timeout=60)

    def seen(self) -> tuple[list[str], dict[str, str]]:
        found = json.loads((self.path / "seen.json").read_text())
        return found["calls"], found["report"]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def with_site(folder: Folder) -> str:
    """Return a PYTHONPATH with our sitecustomize and the real package, its activation the stand-in's."""
    folder.write("fake/activation.py", STAND_IN)
    folder.write(
        "fake/agentos_otel/__init__.py",
        f"""
        import sys
        __path__ = [{str(ROOT / "agentos_otel")!r}]
        import activation
        sys.modules["agentos_otel.auto"] = activation
        """,
    )
    return environment({"PYTHONPATH": str(folder.path / "fake")})["PYTHONPATH"]


# --- hooks ---


def test_points_are_wrapped_after_their_import_and_aliases_see_them(folder: Folder) -> None:
    folder.write("host/__init__.py", "from host.core import work\n")
    folder.write("host/core.py", "def work(): return 1\nclass A:\n    def run(self): return work()\n")
    folder.write("go.py", "import stand_in, host, host.core\nhost.work(); host.core.A().run()\n")
    done = folder.run("go.py", targets="host.core:work host.core:A.run host.core:gone host.other:x")
    assert done.stderr == ""
    calls, report = folder.seen()
    assert calls == ["work", "run", "work"]
    assert report == {
        "host.core:work": "wrapped",
        "host.core:A.run": "wrapped",
        "host.core:gone": "missing",
        "host.other:x": "waiting",
    }


def test_no_module_of_the_host_and_no_wrapt_is_imported_by_activation(folder: Folder) -> None:
    code = "import stand_in, sys; print('wrapt' in sys.modules, 'host' in sys.modules)"
    folder.write("host.py", "raise SystemError\n")
    assert folder.run("-c", code).stdout == "False False\n"
    assert folder.run("-c", code, targets="host:x").stdout == "True False\n"


def test_late_activation_says_which_names_stay_bare(folder: Folder) -> None:
    folder.write("host.py", "def work(): return 1\nclass A:\n    def run(self): return 2\n")
    folder.write("user.py", "from host import work as mine\n")
    code = """
        import logging; logging.basicConfig()
        import host, user, stand_in
        user.mine(); host.work(); host.A().run()
        stand_in.activate('host:work', 'host:A.run')
    """
    folder.write("go.py", code)
    done = folder.run("go.py", targets="host:work host:A.run")
    assert "not traced where it is called as user.mine" in done.stderr
    assert folder.seen() == (["work", "run"], {"host:A.run": "wrapped", "host:work": "late"})


def test_a_module_that_activates_in_its_own_body_is_wrapped_at_its_end(folder: Folder) -> None:
    folder.write("host.py", "import stand_in\ndef work(): return 1\nimport host as me; assert me.work() == 1\n")
    folder.write("go.py", "import host; host.work()\nprint(type(host.__spec__).__name__)\n")
    assert folder.run("go.py", targets="host:work").stdout == "ModuleSpec\n"
    assert folder.seen() == (["work"], {"host:work": "wrapped"})


def test_a_wrap_that_fails_does_not_break_the_import(folder: Folder) -> None:
    folder.write("host.py", "def work(): return 1\n")
    code = """
        import stand_in
        def bad(*a): raise ValueError
        stand_in.wrap = bad
        stand_in.activate('host:work')
        import host; print(host.work())
    """
    folder.write("go.py", code)
    done = folder.run("go.py")
    assert (done.stdout, folder.seen()[1]) == ("1\n", {"host:work": "missing"})


# --- `__main__` ---

TARGETS = ["bare", "work", "Host.value", "Host.Inner.deep", "gone"]


def auto(folder: Folder, *arguments: str, module: str = "prog", **environ: str) -> subprocess.CompletedProcess[str]:
    folder.write(
        "auto.py",
        """
        import sys, stand_in
        from agentos_otel.instrumentation import imports
        a = sys.argv[1:]
        if __name__ == "__main__":
            imports.run_module(a[1], a[2:]) if a[0] == "-m" else imports.run_path(a[0], a[1:])
        """,
    )
    targets = " ".join(f"{module}:{name}" for name in TARGETS)
    return folder.run("-m", "auto", *arguments, targets=targets, **environ)


@pytest.mark.parametrize("arguments", [["-m", "prog"], ["prog.py"], ["./prog.py"]])
def test_points_of_the_main_module_are_wrapped_by_the_runner(folder: Folder, arguments: list[str]) -> None:
    folder.write("prog.py", MAIN)
    done = auto(folder, *arguments)
    assert (done.stdout, done.stderr) == ("1 1 2 5 3\n", "")
    calls, report = folder.seen()
    assert calls == ["bare", "work", "value", "deep"]
    assert {key.split(":")[1]: state for key, state in report.items()} == {
        **dict.fromkeys(TARGETS, "wrapped"),
        "gone": "missing",
    }


@pytest.mark.parametrize("imported_first", [False, True])
def test_points_of_a_module_run_by_python_m_are_wrapped_under_sitecustomize(
    folder: Folder, imported_first: bool
) -> None:
    folder.write("pkg/__init__.py", "from pkg import prog\nprog.bare()\n" if imported_first else "")
    folder.write("pkg/prog.py", MAIN)
    targets = " ".join(f"pkg.prog:{name}" for name in TARGETS[:-1])
    done = folder.run("-W", "ignore", "-m", "pkg.prog", targets=targets, PYTHONPATH=with_site(folder))
    assert (done.stdout, done.stderr) == ("1 1 2 5 3\n", "")
    calls, report = folder.seen()
    assert calls == [*(["bare"] if imported_first else []), "bare", "work", "value", "deep"]
    assert set(report.values()) == {"wrapped"}


SHOWN = """\
import sys, os, threading, atexit
def bare(): return 1
def fail(): raise ValueError("from here")
bare()
shown = dict(globals())
for name in ("__loader__", "__builtins__", "__spec__"):
    value = shown.pop(name)
    print(name, type(value).__name__, getattr(value, "name", ""))
print({key: value if isinstance(value, (str, dict)) else type(value).__name__ for key, value in shown.items()})
print(sys.argv, sys.path[0], sys.modules["__main__"].__dict__ is globals(), fail.__code__.co_firstlineno)
atexit.register(lambda: print("at exit", bare()))
if "exit" in sys.argv: sys.exit(7)
if "text" in sys.argv: sys.exit("why")
if "hook" in sys.argv: sys.excepthook = lambda *a: print("hooked", a[0].__name__, a[2].tb_frame.f_code.co_name)
if "kill" in sys.argv: os.kill(os.getpid(), 2)
if "syntax" in sys.argv: import broken
if "raise" in sys.argv: fail()
"""


@pytest.mark.parametrize("mode", ["none", "exit", "text", "raise", "hook raise", "syntax"])
@pytest.mark.parametrize("program", [["-m", "prog"], ["prog.py"], ["./sub/prog.py"], ["-m", "pkg"], ["pkg"]])
def test_the_runner_is_the_interpreter_to_the_letter(folder: Folder, mode: str, program: list[str]) -> None:
    for name in ("prog.py", "sub/prog.py", "pkg/__main__.py"):
        folder.write(name, SHOWN)
    for name in ("broken.py", "sub/broken.py", "pkg/broken.py"):
        folder.write(name, "def x(:\n")
    arguments = [*program, *mode.split()]
    plain, ours = folder.run(*arguments), auto(folder, *arguments)
    assert (ours.returncode, ours.stdout, ours.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@pytest.mark.parametrize("program", [["gone.py"], ["-m", "gone"], ["-m", "gone.sub"], ["bad.py"], ["-m", "bad"]])
def test_what_cannot_run_says_so_as_the_interpreter_does(folder: Folder, program: list[str]) -> None:
    folder.write("bad.py", "x = 1\ndef bare(:\n")
    plain, ours = folder.run(*program), auto(folder, *program, module="bad")
    assert (ours.returncode, ours.stdout, ours.stderr) == (plain.returncode, plain.stdout, plain.stderr)


def test_an_interrupt_ends_the_process_by_its_signal(folder: Folder) -> None:
    folder.write("prog.py", SHOWN)
    assert auto(folder, "prog.py", "kill").returncode == -signal.SIGINT


def test_a_safe_path_stays_safe(folder: Folder) -> None:
    folder.write("prog.py", "import sys; print(sys.path)\n")
    path = os.pathsep.join([str(ROOT), str(folder.path)])
    plain = folder.run("-P", "prog.py", PYTHONPATH=path)
    assert auto(folder, "prog.py", PYTHONSAFEPATH="1", PYTHONPATH=path).stdout == plain.stdout


# --- sitecustomize ---


def test_sitecustomize_activates_and_leaves_the_path(folder: Folder) -> None:
    code = "import sys, sitecustomize; print(sys.path, sitecustomize.__file__, 'activation' in sys.modules)"
    done = folder.run("-c", code, PYTHONPATH=with_site(folder))
    assert done.stderr == ""
    assert str(SITE) not in done.stdout.split("]")[0]
    assert done.stdout.endswith(f"{SITE / 'sitecustomize.py'} True\n")


def test_the_hidden_sitecustomize_runs_under_its_name(folder: Folder) -> None:
    folder.write("theirs/sitecustomize.py", "import sys; seen = (__name__, sys.modules[__name__].__file__)\n")
    path = os.pathsep.join([with_site(folder), str(folder.path / "theirs")])
    done = folder.run("-c", "import sitecustomize; print(*sitecustomize.seen)", PYTHONPATH=path)
    assert (done.stdout, done.stderr) == (f"sitecustomize {folder.path / 'theirs' / 'sitecustomize.py'}\n", "")


@pytest.mark.parametrize("code", ["raise ValueError('theirs')", "import not_there", "x = ("])
def test_an_error_of_the_hidden_one_is_said_as_without_us(folder: Folder, code: str) -> None:
    folder.write("theirs/sitecustomize.py", code + "\n")
    theirs = str(folder.path / "theirs")
    plain = folder.run("-c", "print(1)", PYTHONPATH=theirs)
    ours = folder.run("-c", "print(1)", PYTHONPATH=os.pathsep.join([str(SITE), theirs]))
    assert (ours.returncode, ours.stdout, ours.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@pytest.mark.parametrize("package", ["raise ValueError\n", "import not_there\n", "x = (\n", None])
def test_an_absent_or_broken_package_is_nothing(folder: Folder, package: str | None) -> None:
    if package is not None:
        folder.write("fake/agentos_otel/__init__.py", package)
    path = os.pathsep.join([str(SITE), str(folder.path / "fake")])
    done = folder.run("-S", "-c", "import sitecustomize; print(1)", PYTHONPATH=path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_the_path_to_add_is_idempotent_and_keeps_what_is_set() -> None:
    once = environment({"PYTHONPATH": os.pathsep.join(["a", "", "b"])})
    assert once == {"PYTHONPATH": os.pathsep.join([str(SITE), "a", "", "b"])}
    assert environment(once) == once
    assert environment({}) == environment({"PYTHONPATH": ""}) == {"PYTHONPATH": str(SITE)}
