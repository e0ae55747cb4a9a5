# SPDX-License-Identifier: Apache-2.0
"""`python -m services.ledger [serve|migrate]`: settings from PURSER_LEDGER_…, the system's clock, the service."""

import asyncio
import os
import socket
import sys
from typing import Annotated

import structlog
import typer

from meshkit.clock import ManualClock, SystemClock
from meshkit.garbage import collected_in_steps
from meshkit.ids import TimeOrderedIds
from meshkit.metrics import serve_metrics
from meshkit.process import begin, bring_schema, run, when_told_to_stop
from services.ledger.config import LedgerSettings
from services.ledger.workers import SERVES, WorkerFailed, Workers, hold_port

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
        int | None, typer.Option(help="processes that share the port; as PURSER_LEDGER_WORKERS says, or 1")
    ] = None,
) -> None:
    """Serve until SIGTERM or SIGINT (the default)."""
    if workers is not None:
        os.environ["PURSER_LEDGER_WORKERS"] = str(workers)
    settings = begin("ledger", LedgerSettings)
    run("ledger", _serve(settings) if settings.workers == 1 else _serve_by_workers(settings))


@cli.command(hidden=True)
def worker(number: int, lifeline: int) -> None:
    """Serve as one of several workers; started by `serve`. lifeline: a socket, by its file descriptor."""
    settings = begin("ledger", LedgerSettings)
    structlog.contextvars.bind_contextvars(worker=number)
    run("ledger", _serve(settings, worker=number, lifeline=socket.socket(fileno=lifeline)))


@cli.command()
def migrate() -> None:
    """Bring the schema to its newest revision, and end."""
    bring_schema("ledger", LedgerSettings)


async def _serve(settings: LedgerSettings, *, worker: int = 0, lifeline: socket.socket | None = None) -> None:
    # Here, for a parent of workers does without it, and is the sooner back after a crash.
    from services.ledger.app import open_service

    stopped = asyncio.Event()
    when_told_to_stop(stopped.set)
    wall = SystemClock()
    clock = ManualClock(settings.sandbox_start_time) if settings.sandbox else wall
    if settings.metrics_listen:
        host, _, port = settings.metrics_listen.rpartition(":")
        serve_metrics(host, int(port) + worker if int(port) else 0)
    async with (
        open_service(
            settings,
            clock=clock,
            wall=wall,
            ids=TimeOrderedIds(wall),
            shares_port=lifeline is not None,
        ) as app,
        collected_in_steps(),
    ):
        if lifeline is None:
            log.info("service_started", port=app.port, sandbox=settings.sandbox)
        else:
            lifeline.send(SERVES)
            # The parent never writes: readable means that it is gone.
            asyncio.get_running_loop().add_reader(lifeline, stopped.set)
        await stopped.wait()
        log.info("service_stopping")


async def _serve_by_workers(settings: LedgerSettings) -> None:
    held, address = hold_port(settings.listen)
    with held:
        workers = Workers(
            (sys.executable, "-m", "services.ledger", "worker"),
            {**os.environ, "PURSER_LEDGER_LISTEN": address},
            address=address,
            count=settings.workers,
        )
        when_told_to_stop(workers.stop)
        try:
            await workers.run()
        except WorkerFailed as error:
            sys.exit(f"ledger: {error}")


if __name__ == "__main__":
    cli()
