# SPDX-License-Identifier: Apache-2.0
"""`python -m deploy.local up` and `… demo`: the whole mesh in one command."""

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from deploy.local import database, mesh, postgres, proxy, secret_keys, seed, story
from deploy.local.database import SOURCE_ROOT
from deploy.local.fault import Fault
from deploy.local.identity import open_identity
from deploy.local.ports import HOST, free_port
from deploy.local.stripe import running_stripe
from meshkit.clock import SystemClock

# Of an installed wheel, the source root is the environment's folder of packages, which is no place for data.
STATE_FOLDER = (SOURCE_ROOT if (SOURCE_ROOT / "pyproject.toml").is_file() else Path.cwd()) / ".purser"
ACCESS_FOLDER = "access"  # certificates, keys and tokens
SANDBOX_START_TIME = datetime(2025, 6, 1, tzinfo=UTC)
Result = TypeVar("Result")
EXIT_FAULT = 1
EXIT_INTERRUPTED = 130

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


@app.command()
def demo() -> None:
    """Play the SeatsCo story on four services and a temporary database.

    Exits with 0 when every figure is as promised, with 1 otherwise.
    """
    folder = Path(tempfile.mkdtemp(prefix="purser-demo-"))
    logs = folder / "logs"
    try:
        code = _run(folder, lambda admin_url: _demo(admin_url, folder, logs))
    finally:
        shutil.rmtree(folder / "postgres", ignore_errors=True)
        shutil.rmtree(folder / ACCESS_FOLDER, ignore_errors=True)
        (folder / "passwords.json").unlink(missing_ok=True)
        (folder / secret_keys.FILE_NAME).unlink(missing_ok=True)
    if code == EXIT_FAULT and logs.exists():
        errors.print(f"purser: the output of the services is kept in {logs}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    raise typer.Exit(code)


@app.command()
def up(
    first_port: Annotated[
        int,
        typer.Option(
            envvar="FIRST_PORT",
            help="catalog; contract, ledger, alert, portal, edge take the next five, and services the ports 10 later",
        ),
    ] = mesh.FIRST_PORT,
) -> None:
    """Run the mesh in the foreground until Ctrl-C; its data stays in .purser (or PURSER_STATE_FOLDER)."""
    raise typer.Exit(_run_up(first_port, has_envoy=False))


@app.command()
def edge(
    first_port: Annotated[
        int,
        typer.Option(
            envvar="FIRST_PORT",
            help="as in up; Envoy takes the port 6 later, the second Ledger those 22 and 32 later",
        ),
    ] = mesh.FIRST_PORT,
) -> None:
    """Run the same mesh with two Ledgers behind Envoy: JSON over HTTP, gRPC-web and gRPC on one port, over TLS."""
    raise typer.Exit(_run_up(first_port, has_envoy=True))


def _run_up(first_port: int, *, has_envoy: bool) -> int:
    began = time.monotonic()
    folder = Path(os.environ.get("PURSER_STATE_FOLDER") or STATE_FOLDER)
    return _run(
        folder, lambda admin_url: _up(admin_url, folder, first_port, has_envoy=has_envoy, began=began)
    )


async def _demo(admin_url: str, folder: Path, logs: Path) -> int:
    began = time.monotonic()
    name = f"purser_demo_{secrets.token_hex(4)}"
    try:
        urls = await database.prepare(admin_url, state_folder=folder, database=name, role_prefix=name)
        await database.migrate_all(urls)
        identity = open_identity(folder / ACCESS_FOLDER, clock=SystemClock())
        async with (
            running_stripe() as stripe,
            mesh.ProcessMesh(
                urls.runtime,
                addresses=mesh.addresses(None),
                log_folder=logs,
                sandbox_start_time=SANDBOX_START_TIME,
                secret_keys=secret_keys.secret_keys(folder),
                access=mesh.secured(identity, None),
                payments=stripe.settings(f"{HOST}:{free_port()}"),
            ) as running,
        ):
            console.print(
                f"[dim]PostgreSQL and four services are up after {time.monotonic() - began:.1f} s[/]"
            )
            is_as_promised = await _while_all_run(
                running, story.play(running.addresses, identity, stripe=stripe, console=console)
            )
            return 0 if is_as_promised else EXIT_FAULT
    finally:
        with suppress(Fault):
            await database.drop(admin_url, name, role_prefix=name)


async def _up(admin_url: str, folder: Path, first_port: int, *, has_envoy: bool, began: float) -> int:
    addresses, fronts = mesh.addresses(first_port), mesh.front_addresses(first_port)
    ports = proxy.FrontPorts.after(first_port) if has_envoy else None
    identity = open_identity(folder / ACCESS_FOLDER, clock=SystemClock())
    access = mesh.secured(identity, first_port)
    urls = await database.prepare(admin_url, state_folder=folder)
    await database.migrate_all(urls)
    try:
        async with (
            running_stripe() as stripe,
            mesh.ProcessMesh(
                urls.runtime,
                addresses=addresses,
                log_folder=folder / "logs",
                sandbox_start_time=SANDBOX_START_TIME,
                secret_keys=secret_keys.secret_keys(folder),
                access=access,
                payments=stripe.settings(f"{HOST}:{free_port()}"),
                fronts=fronts,
                stripe_js=stripe.js_address,
                say=_say,
            ) as running,
            AsyncExitStack() as envoy,
        ):
            seeded = await _while_all_run(running, seed.seed(addresses, identity))
            lines = seed.lines_to_paste(addresses, identity, seeded, edge_address=fronts["edge"])
            if ports is not None:
                front = proxy.running_front(running, urls.runtime["ledger"], ports, folder=folder, say=_say)
                lines = proxy.lines_to_paste(await envoy.enter_async_context(front), identity, seeded)
            for line in ("", *seed.links(fronts["portal"], identity, seeded), *lines):
                console.print(line, soft_wrap=True, markup=False)
            console.print(f"[dim]The pages could be used {time.monotonic() - began:.1f} s after the start[/]")
            console.print(f"[dim]Ctrl-C stops the mesh; its data stays in {folder}[/]", soft_wrap=True)
            raise await running.until_one_dies()
    except asyncio.CancelledError:
        return 0  # Ctrl-C is the normal end


def _say(process: str, line: str) -> None:
    console.print(f"[dim]{process:>8} |[/] {escape(line)}", soft_wrap=True)


async def _while_all_run(running: mesh.ProcessMesh, work: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of `work`. Raises Fault when a service dies first."""
    task = asyncio.ensure_future(work)
    death = asyncio.ensure_future(running.until_one_dies())
    try:
        await asyncio.wait((task, death), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise death.result()
    finally:
        task.cancel()
        death.cancel()


def _run(folder: Path, command: Callable[[str], Coroutine[Any, Any, int]]) -> int:
    """Run `command` on a database server and stop both in order, whatever happens. Returns the exit code."""
    # Until asyncio handles signals, SIGTERM acts like Ctrl-C: it exits all blocks and so stops the children.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _make_private(folder)
        with postgres.open_server(folder / "postgres") as admin_url:
            return asyncio.run(_until_terminated(command(admin_url)))
    except Fault as fault:
        errors.print(f"purser: {escape(str(fault))}")
        return EXIT_FAULT
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Fault(
            f"{folder} cannot be created: {error.strerror}; name a writable folder in PURSER_STATE_FOLDER"
        ) from error


async def _until_terminated(work: Coroutine[Any, Any, int]) -> int:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


if __name__ == "__main__":
    app()
