# SPDX-License-Identifier: Apache-2.0
"""`python -m services.ledger [serve|migrate]`: settings from PURSER_LEDGER_…, the system's clock, the service."""

import asyncio
import signal
import sys
from collections.abc import Coroutine

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

cli = typer.Typer(
    add_completion=False, help="The Ledger: pools of credits, and the gate before every AI call."
)
log = structlog.get_logger("services.ledger")


@cli.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        serve()


@cli.command()
def serve() -> None:
    """Serve until SIGTERM or SIGINT (the default)."""
    settings = load(LedgerSettings)
    configure("ledger", json=settings.log_json)
    _run(_serve(settings))


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


async def _serve(settings: LedgerSettings) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    wall = SystemClock()
    clock = ManualClock(settings.sandbox_start_time) if settings.sandbox else wall
    if settings.metrics_listen:
        host, _, port = settings.metrics_listen.rpartition(":")
        serve_metrics(host, int(port))
    async with open_service(settings, clock=clock, wall=wall, ids=TimeOrderedIds(wall)) as app:
        log.info("service_started", port=app.port, sandbox=settings.sandbox)
        await stopped.wait()
        log.info("service_stopping")


if __name__ == "__main__":
    cli()
