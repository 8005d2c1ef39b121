"""`forward`: sends what the journals hold to the OTLP endpoint, once or for as long as it runs."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

import click

from agentos_otel import bootstrap, forwarding, settings
from agentos_otel.errors import AgentosOtelError, NotFoundError
from agentos_otel.export.causes import explained

if TYPE_CHECKING:
    from agentos_otel.export.forwarder import Forwarder, Progress

_INTERVAL_S = 1.0
_REFRESH_S = 30.0


@click.command()
@click.option("--once", is_flag=True, help="Send what is there, then return; 1 if something could not be sent.")
@click.option("--refused", is_flag=True, help="With --once: send again what the server has refused before.")
def forward(once: bool, refused: bool) -> None:
    """Send the journals to the endpoint that OTEL_EXPORTER_OTLP_ENDPOINT names.

    Traced programs do so themselves from a thread; this is for what killed or short ones left behind, and for machines
    on which programs shall not speak to the network.
    """
    found = settings.read()
    if refused and not once:
        raise click.UsageError("--refused goes with --once")
    forwarder = forwarding.open_forwarder(found, lambda: bootstrap.open_store(found, bootstrap.CLI_WAIT))
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    try:
        if once:
            destination = found.destination()
            _refresh(found)
            _once(forwarder, stop, destination.timeout if destination else 0.0, refused=refused)
        else:
            _follow(found, forwarder, stop)
    finally:
        forwarder.close()


def _refresh(found: settings.Settings) -> None:
    """Finish dead runs first: their abandoned spans and the roots that they owe are for sending too."""
    try:
        space = bootstrap.open_workspace(found)
        try:
            space.refresh()
        finally:
            space.close()
    except NotFoundError:
        return  # nothing is traced yet
    except AgentosOtelError as error:
        click.echo(f"agentos-otel: dead runs are not finished yet: {error}", err=True)


def _follow(found: settings.Settings, forwarder: Forwarder, stop: threading.Event) -> None:
    said, refresh_at = "", 0.0
    while not stop.is_set():
        if time.monotonic() >= refresh_at:
            _refresh(found)
            refresh_at = time.monotonic() + _REFRESH_S
        progress = forwarder.pump(stop.is_set, thorough=True)
        if progress.failed != said:
            said = progress.failed
            click.echo(f"agentos-otel: {explained(said) or 'sending again'}", err=True)
        stop.wait(max(progress.wait, _INTERVAL_S))


def _once(forwarder: Forwarder, stop: threading.Event, patience: float, *, refused: bool) -> None:
    """Send until nothing is left, trying again for as long as one request may take."""
    deadline = time.monotonic() + patience
    sent, aside, patient = 0, forwarder.counts()["set_aside"], False

    def attempt(call: Callable[[], Progress]) -> Progress:
        nonlocal sent
        progress = call()
        while (progress.failed or progress.busy) and not stop.is_set():
            sent += progress.sent
            if not progress.busy and time.monotonic() + progress.wait > deadline:
                return progress
            stop.wait(progress.wait or 0.05)
            progress = call()
        sent += progress.sent
        return progress

    if refused:
        attempt(forwarder.retry_refused)
    last = attempt(lambda: forwarder.pump(stop.is_set, thorough=True, patient=patient))
    aside = forwarder.counts()["set_aside"] - (0 if refused else aside)
    click.echo(f"sent {sent} spans" + (f", {aside} refused: see `agentos-otel doctor`" if aside > 0 else ""))
    if last.failed:
        why = explained(last.failed)
        raise click.ClickException(f"not everything is sent: {why}; it stays in the journal, run this again")
    if aside > 0 or last.busy:
        raise click.exceptions.Exit(1)
