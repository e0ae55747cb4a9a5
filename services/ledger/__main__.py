# SPDX-License-Identifier: Apache-2.0
"""`python -m services.ledger [serve|migrate]`: settings from PURSER_LEDGER_…, the system's clock, the service."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Annotated

import structlog
import typer

from meshkit.clock import SystemClock
from meshkit.process import load_and_configure, migrate_service, on_stop_signal, run, serve_until_stopped
from services.ledger.config import LedgerSettings
from services.ledger.workers import SERVES, STOP_SECONDS_MAX, WorkerFailed, Workers, hold_port

cli = typer.Typer(
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="The Ledger: pools of credits, and the gate before every AI call.",
)
log = structlog.get_logger("services.ledger")


@cli.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        serve()


@cli.command()
def serve(
    workers: Annotated[
        int | None, typer.Option(help="processes that share the port; default: PURSER_LEDGER_WORKERS, or 1")
    ] = None,
) -> None:
    """Serve until SIGTERM or SIGINT (the default)."""
    if workers is not None:
        os.environ["PURSER_LEDGER_WORKERS"] = str(workers)
    settings = load_and_configure("ledger", LedgerSettings)
    run("ledger", _serve(settings) if settings.workers == 1 else _serve_by_workers(settings))


@cli.command(hidden=True)
def worker(number: int, lifeline: int) -> None:
    """Serve as one of several workers; started by `serve`. lifeline: a socket, by its file descriptor."""
    settings = load_and_configure("ledger", LedgerSettings)
    structlog.contextvars.bind_contextvars(worker=number)
    run("ledger", _serve_as_worker(settings, number, socket.socket(fileno=lifeline)))


@cli.command()
def migrate() -> None:
    """Migrate the schema to its newest revision, and exit."""
    migrate_service("ledger", LedgerSettings)


async def _serve(settings: LedgerSettings) -> None:
    # Imported here: the parent of workers does not need it, and so restarts faster after a crash.
    from services.ledger.app import open_service

    await serve_until_stopped("ledger", settings, open_service, wall=SystemClock())


async def _serve_as_worker(settings: LedgerSettings, number: int, lifeline: socket.socket) -> None:
    from services.ledger.app import open_service

    def report(stop: Callable[[], None]) -> None:
        lifeline.send(SERVES)
        # The parent never writes: the socket becomes readable when the parent has ended.
        asyncio.get_running_loop().add_reader(lifeline, stop)

    await serve_until_stopped(
        "ledger",
        settings,
        partial(open_service, shares_port=True),
        wall=SystemClock(),
        metrics_port_offset=number,
        on_serving=report,
    )


async def _serve_by_workers(settings: LedgerSettings) -> None:
    held, address = hold_port(settings.listen)
    with held, ExitStack() as stack:
        addresses = {"PURSER_LEDGER_LISTEN": address}
        if not settings.insecure:
            held_for_peers, addresses["PURSER_LEDGER_PEER_LISTEN"] = hold_port(settings.peer_listen)
            stack.enter_context(held_for_peers)
        workers = Workers(
            (sys.executable, "-m", "services.ledger", "worker"),
            {**os.environ, **addresses},
            address=address,
            count=settings.workers,
            stop_seconds_max=settings.drain_seconds + STOP_SECONDS_MAX,
        )
        on_stop_signal(workers.stop)
        try:
            await workers.run()
        except WorkerFailed as error:
            sys.exit(f"ledger: {error}")


if __name__ == "__main__":
    cli()
