"""Runs all comparisons, says which goal is reached and what got slower than in the committed results.

    python bench/run.py [--save] [--peers]

`results.json` holds the last committed run; `--save` replaces it and `results.md`. Absolute figures are of one machine;
the ratios are what counts, and what is compared with the run before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PEERS = ("logfire", "langfuse", "openinference")
SLOWER = 1.10


class Line(NamedTuple):
    """One comparison: its name, what it says, its ratio to the reference (0 for none) and its goal."""

    name: str
    says: str
    ratio: float
    goal: float


def run(program: str, *arguments: str, python: str = sys.executable, **environ: str) -> Any:
    """Return what a measuring program prints."""
    with tempfile.TemporaryDirectory() as state:
        full = {**os.environ, "AGENTOS_OTEL_STATE_DIR": state, "AGENTOS_OTEL_MAP": "", **environ}
        done = subprocess.run(
            [python, str(HERE / program), *arguments], env=full, stdout=subprocess.PIPE, check=True, text=True
        )
    return json.loads(done.stdout.splitlines()[-1])


def ratios(name: str, found: dict[str, Any], goals: dict[str, float]) -> Iterator[Line]:
    """Yield the lines of a program that compared something with the reference."""
    for what, figures in found.items():
        unit = "ms" if "ms" in figures else "us"
        says = f"{figures[unit]:8.2f} {unit}   reference {figures[f'reference_{unit}']:8.2f} {unit}"
        yield Line(f"{name} {what}".strip(), says, figures["ratio"], goals.get(what, 0))


def ours() -> Iterator[Line]:
    """Yield what we cost."""
    calls = {"sync": 0.40, "async": 0.40, "12 attributes": 0.45, "10 KB in, 10 KB out": 0.40}
    yield from ratios("@tool, journal on:", run("calls.py", "ours"), calls)
    with_start = {"sync": 0.55, "async": 0.55}
    yield from ratios("@stage, journal on:", run("calls.py", "ours_stage"), with_start)
    yield from ratios("@agent, journal on:", run("calls.py", "ours_agent"), with_start)
    in_memory = {"sync": 0.15, "async": 0.15, "async generator": 0.25}
    yield from ratios("@tool, in memory:", run("calls.py", "ours_in_memory"), in_memory)
    for name, variable, goal in (("off", "AGENTOS_OTEL_DISABLED=true", 0.25),
                                 ("sampled out", "OTEL_TRACES_SAMPLER=always_off", 1.0)):  # fmt: skip
        figures = run("calls.py", "ours", **dict([variable.split("=")]))["sync"]
        yield Line(f"@tool, {name}", f"{figures['us']:8.2f} us   goal {goal} us", 0, 0)
    grown = run("calls.py", "ours", "--rss", "100000")
    yield Line("100,000 spans", f"{grown['grown_mb']:8.1f} MB   goal 5 MB", 0, 0)
    imports = {"import agentos_otel": 0.75, "short process, decorators": 0.45, "short process, by a map": 0.80}
    yield from ratios("", run("processes.py"), imports)
    yield from ratios("", run("logs.py"), {"log line with ids": 1.12, "… also journaled": 1.6})
    sending = run("forward.py")
    says = f"{sending['ours']['us']:8.2f} us   reference {sending['sdk']['us']:8.2f} us"
    yield Line("12 attributes, to an OTLP server: CPU", says, sending["ratio"], 0.31)
    for who, name in (("ours", "… arrived"), ("sdk", "… of the reference")):
        yield Line(name, f"{sending[who]['spans_per_s']} spans/s, {sending[who]['lost']:.1%} lost", 0, 0)
    yield Line("… the server hangs, against none: CPU", "", sending["hung"], 1.05)
    yield from whole_way()
    installed = run("installed.py")
    says = f"{installed['distributions']} distributions, {installed['mb']} MB   goal 14, 30 MB"
    yield Line("base install", says, 0, 0)


def whole_way() -> Iterator[Line]:
    """Yield what it costs to get spans into Jaeger, by part of the way."""
    found = run("whole_way.py")
    if not found:
        yield Line("to Jaeger", "left out: Jaeger and the Collector are not built (`make backends`)", 0, 0)
        return
    ours, sdk = found["ours"], found["sdk"]
    for part, name in (
        ("program", "to Jaeger: program's CPU"),
        ("collector", "to Jaeger: Collector's CPU"),
        ("jaeger", "to Jaeger: Jaeger's CPU"),
    ):
        figures = ours[f"{part}_us"], sdk[f"{part}_us"]
        says = "{:8.2f} us   reference {:8.2f} us".format(*figures)
        yield Line(name, says, figures[0] / figures[1], 0)
    for who, name in ((ours, "… in Jaeger"), (sdk, "… of the reference")):
        yield Line(name, f"{who['spans_per_s']:.0f} spans/s, {who['lost']:.1%} lost", 0, 0)


def peers() -> Iterator[Line]:
    """Yield what three peers cost, each in a venv of its own, kept in the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "agentos-otel-bench"
    for peer in PEERS:
        venv = cache / peer
        text = (HERE / "adapters" / f"{peer}.py").read_text()
        wanted = json.loads(text.split("REQUIRES = ")[1].splitlines()[0].partition("#")[0])
        if not (venv / "ready").exists():
            print(f"installing {peer} …", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
            subprocess.run([str(venv / "bin" / "pip"), "install", "-q", *wanted], check=True)
            (venv / "ready").touch()
        python = str(venv / "bin" / "python")
        yield from ratios(f"{peer}:", run("calls.py", peer, python=python), {})


def machine() -> str:
    """Return what this was measured on."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    from importlib.metadata import version

    return (
        f"{os.cpu_count()} cores of {model}, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}, opentelemetry-sdk {version('opentelemetry-sdk')}"
    )


def main() -> None:
    """Measure, print, compare, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--peers", action="store_true", help="three peers too, in venvs of their own")
    given = parser.parse_args()
    before: dict[str, float] = json.loads(RESULTS.read_text())["ratios"] if RESULTS.exists() else {}
    lines, slower, kept = [], [], {**before}
    print(machine())
    for line in [*ours(), *(peers() if given.peers else ())]:
        reached = (
            "" if not line.goal else f"  goal x{line.goal:.2f} {'reached' if line.ratio <= line.goal else 'MISSED'}"
        )
        text = f"{line.name:<40} {line.says}" + (f"   x{line.ratio:.3f}{reached}" if line.ratio else "")
        print(text, flush=True)
        lines.append(text)
        if line.ratio:
            kept[line.name] = line.ratio
        if line.name in before and line.ratio > before[line.name] * SLOWER:
            slower.append(f"{line.name}: x{before[line.name]:.3f} then, x{line.ratio:.3f} now")
    for text in slower:
        print(f"slower than in the committed results by more than 10 %: {text}")
    if given.save:
        RESULTS.write_text(json.dumps({"machine": machine(), "ratios": kept}, indent=1, ensure_ascii=False) + "\n")
        table = "\n".join(lines)
        (HERE / "results.md").write_text(f"# Results\n\n{machine()}\n\n```text\n{table}\n```\n")


if __name__ == "__main__":
    main()
