# SPDX-License-Identifier: Apache-2.0
"""`python -m services.ledger [serve|migrate]`: settings from PURSER_LEDGER_…, the system's clock, the service."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated

import structlog
import typer
import uvloop

from meshkit.clock import ManualClock, SystemClock
from meshkit.config import load
from meshkit.db import migrate as migrate_schema
from meshkit.errors import MeshError
from meshkit.faults import fault_of
from meshkit.ids import TimeOrderedIds
from meshkit.log import configure
from meshkit.metrics import serve_metrics
from services.ledger.app import open_service
from services.ledger.config import LedgerSettings
from services.ledger.workers import SERVES, WorkerFailed, Workers, hold_port

cli = typer.Typer(
    add_completion=False, help="The Ledger: pools of credits, and the gate before every AI call."
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
    settings = load(LedgerSettings)
    configure("ledger", json=settings.log_json)
    _run(_serve(settings) if settings.workers == 1 else _serve_by_workers(settings))


@cli.command(hidden=True)
def worker(number: int, lifeline: int) -> None:
    """Serve as one of several workers; started by `serve`. lifeline: a socket, by its file descriptor."""
    settings = load(LedgerSettings)
    configure("ledger", json=settings.log_json)
    structlog.contextvars.bind_contextvars(worker=number)
    _run(_serve(settings, worker=number, lifeline=socket.socket(fileno=lifeline)))


@cli.command()
def migrate() -> None:
    """Bring the schema to its newest revision, and end."""
    settings = load(LedgerSettings)
    configure("ledger", json=settings.log_json)
    _run(migrate_schema(settings.database_url, service="ledger"))
    log.info("schema_migrated")


def _run(work: Coroutine[None, None, None]) -> None:
    """Run it to its end; a port taken or a database away is one line and exit status 1."""
    try:
        uvloop.run(work)
    except Exception as error:
        fault = error if isinstance(error, MeshError) else fault_of(error)
        if fault is None:
            raise
        sys.exit(f"ledger: {fault.message}")


async def _serve(settings: LedgerSettings, *, worker: int = 0, lifeline: socket.socket | None = None) -> None:
    stopped = asyncio.Event()
    _when_asked_to_stop(stopped.set)
    wall = SystemClock()
    clock = ManualClock(settings.sandbox_start_time) if settings.sandbox else wall
    if settings.metrics_listen:
        host, _, port = settings.metrics_listen.rpartition(":")
        serve_metrics(host, int(port) + worker if int(port) else 0)
    async with open_service(
        settings,
        clock=clock,
        wall=wall,
        ids=TimeOrderedIds(wall),
        shares_port=lifeline is not None,
    ) as app:
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
        _when_asked_to_stop(workers.stop)
        try:
            await workers.run()
        except WorkerFailed as error:
            sys.exit(f"ledger: {error}")


def _when_asked_to_stop(stop: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


if __name__ == "__main__":
    cli()
