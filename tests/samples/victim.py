"""A traced program that says what it has reached, then dies in the way that it is told, inside a stage."""

from __future__ import annotations

import contextvars
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import agentos_otel.auto  # noqa: F401 - joins logs and children
from agentos_otel import stage, task, tool

CALLS = 20
log = logging.getLogger("victim")


def reached(what: str, value: object = "") -> None:
    """Tell the test what must not be lost any more; by `write`, since a buffer would die with us."""
    os.write(1, f"{what} {value}\n".encode())


@tool
def read(number: int) -> None:
    log.info("record %d", number)
    reached("log", f"record {number}")


def work(name: str) -> None:
    for number in range(CALLS):
        read(number)
        reached("span", name)


@stage("intent")
def intent() -> None:
    reached("stage", "intent")
    work("intent")
    commit = ["git", "commit", "-q", "--allow-empty", "-m", "Work"]
    subprocess.run(commit, check=True)
    reached("commit", subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip())


@stage("execution")
def execution(way: str) -> None:
    reached("stage", "execution")
    work("execution")
    reached("ready")
    sys.stdin.readline()
    WAYS[way]()


def wait() -> None:
    time.sleep(60)


def sys_exit() -> None:
    sys.exit(3)


def exception() -> None:
    raise ValueError("unhandled")


def use_memory() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(1 << 20))


def limit_address_space() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))
    use_memory()


@stage("child")
def child() -> None:
    reached("stage", "child")
    work("child")
    os.kill(os.getpid(), signal.SIGKILL)


def fork() -> None:
    pid = os.fork()
    if pid == 0:
        child()
    os.waitpid(pid, 0)


def fork_that_outlives() -> None:
    """Die while the child of a fork works on; it dies later."""
    pid = os.fork()
    if pid == 0:
        time.sleep(1)
        child()
    os.kill(os.getpid(), signal.SIGKILL)


def multiprocess(method: str) -> None:
    process = multiprocessing.get_context(method).Process(target=child)  # type: ignore[attr-defined]
    process.start()
    process.join()


def exit_beside_a_thread() -> None:
    began = threading.Event()

    @stage("child")
    def stay() -> None:
        reached("stage", "child")
        work("child")
        began.set()
        wait()

    threading.Thread(target=contextvars.copy_context().run, args=(stay,), daemon=True).start()
    began.wait()


def execute() -> None:
    os.execv("/bin/true", ["true"])


def in_the_middle_of_a_record() -> None:
    """Be killed inside `write`, when the file is seen to have grown by a part of a record."""
    from agentos_otel.journal.record import MAX_RECORD, STATEMENT, frame
    from agentos_otel.tracing import runtime

    here = runtime.current()
    assert here is not None
    journal, record = here.journal, frame(STATEMENT, bytes(MAX_RECORD - 64))
    before = journal.path.stat().st_size

    def write() -> None:
        for _ in range(50):
            journal.append(record)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    while writer.is_alive() and (journal.path.stat().st_size - before) % len(record) == 0:
        pass
    os.kill(os.getpid(), signal.SIGKILL)


WAYS = {
    "exit": lambda: None,
    "sys.exit in a stage": sys_exit,
    "unhandled exception": exception,
    "SIGINT": wait,
    "SIGTERM": wait,
    "os._exit": lambda: os._exit(0),
    "kill -9": wait,
    "abort": os.abort,
    "memory limit: killed": use_memory,
    "memory limit: MemoryError": limit_address_space,
    "fork": fork,
    "fork that outlives": fork_that_outlives,
    "multiprocessing fork": lambda: multiprocess("fork"),
    "multiprocessing spawn": lambda: multiprocess("spawn"),
    "exit beside a thread": exit_beside_a_thread,
    "exec": execute,
    "in the middle of a record": in_the_middle_of_a_record,
}

logging.basicConfig(level=logging.INFO, handlers=[logging.NullHandler()])  # in spawned processes too

if __name__ == "__main__":
    with task("work"):
        intent()
        execution(sys.argv[1])
