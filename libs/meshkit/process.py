# SPDX-License-Identifier: Apache-2.0
"""Runs a service as a process: `serve` (the default) until it is stopped, and `migrate`."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

import structlog
import typer
import uvloop

from meshkit.clock import Clock, ManualClock
from meshkit.config import (
    DatabaseSettings,
    FrontSettings,
    MeshSettings,
    ProcessSettings,
    load,
    migration_settings,
)
from meshkit.connections import Connections
from meshkit.database_url import role_of
from meshkit.db import migrate as migrate_schema
from meshkit.errors import MeshError
from meshkit.faults import DatabaseUnavailable, database_text, fault_of
from meshkit.garbage import incremental_garbage_collection
from meshkit.ids import Ids
from meshkit.log import configure
from meshkit.metrics import serve_metrics
from meshkit.tracing import traces

if TYPE_CHECKING:
    # A process that only migrates, or only starts workers, does not import it.
    from meshkit.http_server import HttpServer
    from meshkit.service import App

D = TypeVar("D", bound=ProcessSettings)
F = TypeVar("F", bound=FrontSettings)
F_contra = TypeVar("F_contra", bound=FrontSettings, contravariant=True)
S = TypeVar("S", bound=MeshSettings)
S_contra = TypeVar("S_contra", bound=MeshSettings, contravariant=True)

log = structlog.get_logger(__name__)


class OpenService(Protocol[S_contra]):
    """The open_service of each service's app.py. The service runs until the block ends."""

    def __call__(
        self, settings: S_contra, /, *, clock: Clock, wall: Clock, ids: Ids
    ) -> AbstractAsyncContextManager["App"]: ...


def command_line(
    name: str, settings: type[S], open_service: OpenService[S], *, wall: Clock, about: str
) -> typer.Typer:
    """Return the command line of the service `name`. Its schema has the same name.

    wall: operational time, and outside sandbox mode also business time. about: the first line of its --help.
    """
    cli = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False, help=about)

    @cli.callback(invoke_without_command=True)
    def default(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            serve()

    @cli.command()
    def serve() -> None:
        """Serve until SIGTERM or SIGINT (the default)."""
        run(name, serve_until_stopped(name, load_and_configure(name, settings), open_service, wall=wall))

    @cli.command()
    def migrate() -> None:
        """Migrate the schema to its newest revision, then exit."""
        migrate_service(name, settings)

    return cli


class OpenFront(Protocol[F_contra]):
    """The open_front of a process without a database. It serves until the block ends."""

    def __call__(
        self, settings: F_contra, /, *, wall: Clock
    ) -> AbstractAsyncContextManager["HttpServer"]: ...


def front_command_line(
    name: str, settings: type[F], open_front: OpenFront[F], *, wall: Clock, about: str
) -> typer.Typer:
    """Return the command line of a process without a database. about: the first line of its --help."""
    cli = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False, help=about)

    async def serve_front(loaded: F) -> None:
        request = StopRequest()
        _serve_metrics(loaded)
        with traces(name, loaded):
            async with open_front(loaded, wall=wall) as server:
                log.info("service_started", port=server.port)
                await request.drained(server.drain, loaded.drain_seconds)

    @cli.callback(invoke_without_command=True)
    def default(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            serve()

    @cli.command()
    def serve() -> None:
        """Serve until SIGTERM or SIGINT (the default)."""
        run(name, serve_front(load_and_configure(name, settings)))

    return cli


def load_and_configure(name: str, settings: type[D]) -> D:
    """Return the settings, after configuring the log as they say. Exits when a setting is missing or invalid."""
    loaded = load(settings)
    configure(name, json=loaded.log_json)
    return loaded


def migrate_service(name: str, settings: type[MeshSettings]) -> None:
    """Migrate the schema of the service `name` to its newest revision, as its owner, for the role that serves."""
    loaded = load_and_configure(name, migration_settings(settings))
    run(name, _migrate(name, loaded))


async def _migrate(name: str, settings: DatabaseSettings) -> None:
    if settings.migration_database_url:
        as_owner = Connections(
            settings.migration_database_url, password_file=settings.migration_database_password_file
        )
    else:
        as_owner = Connections(settings.database_url, password_file=settings.database_password_file)
    owner, runtime = as_owner.user, role_of(settings.database_url)

    def report(revision: str, seconds: float) -> None:
        log.info("revision_applied", revision=revision, seconds=round(seconds, 3))

    await migrate_schema(as_owner, service=name, runtime_role=runtime, report=report)
    log.info("schema_migrated", owner=owner, runtime_role=runtime)
    if owner == runtime:
        log.warning("one_role_owns_and_serves", role=owner)  # deploy/README.md, "Two roles for each service"


def run(name: str, work: Coroutine[None, None, None]) -> None:
    """Run `work` to its end. A fault, such as a taken port, ends the process with one line and exit status 1.

    So does an error of the database, such as a wrong password.
    """
    try:
        uvloop.run(work)
    except Exception as error:
        fault = error if isinstance(error, MeshError) else fault_of(error)
        is_database = not isinstance(error, MeshError) or isinstance(error, DatabaseUnavailable)
        said = database_text(error) if is_database else None
        if fault is None and said is None:
            raise
        if fault is not None and said is not None:
            said = f"{fault.message.partition(';')[0]} ({said})"  # what follows is advice to callers
        sys.exit(f"{name}: {said or (fault and fault.message)}")


def on_stop_signal(stop: Callable[[], None]) -> None:
    """Call `stop` in the running loop on SIGTERM and SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


class StopRequest:
    """When this process shall stop: at SIGTERM after it has drained, at SIGINT or a second SIGTERM at once."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._at_once = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._ask)
        loop.add_signal_handler(signal.SIGINT, self.stop_at_once)

    def stop_at_once(self) -> None:
        """Stop without draining."""
        self._asked.set()
        self._at_once.set()

    def _ask(self) -> None:
        if self._asked.is_set():
            self._at_once.set()
        self._asked.set()

    async def drained(self, drain: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Return when the process shall stop. From SIGTERM on, `drain` once and then serve on for `seconds`."""
        await self._asked.wait()
        if seconds and not self._at_once.is_set():
            log.info("service_draining", seconds=seconds)
            await drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._at_once.wait(), seconds)
        log.info("service_stopping")


async def serve_until_stopped(
    name: str,
    settings: S,
    open_service: OpenService[S],
    *,
    wall: Clock,
    metrics_port_offset: int = 0,
    on_serving: Callable[[Callable[[], None]], None] | None = None,
) -> None:
    """Serve the service `name` until SIGTERM or SIGINT.

    After SIGTERM it drains first: services/README.md, "Connections and drain".

    wall: as in command_line. metrics_port_offset: added to the port of /metrics, unless that is 0. on_serving:
    called when the service answers, with a function that stops it at once; by default the start is logged.
    """
    request = StopRequest()
    clock = ManualClock(settings.sandbox_start_time) if settings.sandbox else wall
    _serve_metrics(settings, port_offset=metrics_port_offset)
    with traces(name, settings):
        async with (
            open_service(settings, clock=clock, wall=wall, ids=Ids(wall)) as app,
            incremental_garbage_collection(),
        ):
            if on_serving is None:
                log.info("service_started", port=app.port, sandbox=settings.sandbox)
            else:
                on_serving(request.stop_at_once)
            await request.drained(app.drain, settings.drain_seconds)


def _serve_metrics(settings: ProcessSettings, *, port_offset: int = 0) -> None:
    if settings.metrics_listen:
        host, _, port = settings.metrics_listen.rpartition(":")
        serve_metrics(host, int(port) + port_offset if int(port) else 0)
