# SPDX-License-Identifier: Apache-2.0
"""The drills of deploy/RUNBOOK.md, under load: a standby is promoted; a lost server is restored to an instant.

`make restore-drill` runs both for long: `python -m tests.simulation.recovery.drill --answers 3000 --seed 7`.
"""

import asyncio
import random
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.local import database
from meshkit.database_url import role_of
from meshkit.db import migrate
from meshkit.rpc.client import open_channel
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from tests.simulation.crash_book import Book
from tests.simulation.crash_cluster import reserve_port
from tests.simulation.crash_recount import recount
from tests.simulation.crash_setup import set_up
from tests.simulation.crash_writers import Writer, until_back
from tests.simulation.own_postgres import PATIENCE_SECONDS, OwnPostgres
from tests.simulation.recovery import copies
from tests.simulation.recovery.replay import repeat_all
from tests.support.ledger_process import LedgerProcess

WRITERS = 4
VERIFY_SECONDS_MAX = 600.0


@dataclass(slots=True)
class Drill:
    """What a drill found. figures: what happened, one line each. wrong: findings; none: all is as it must be."""

    figures: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


async def fail_over(folder: Path, seed: int, *, answers: int) -> Drill:
    """Kill a primary with a synchronous standby under load, and promote the standby; nothing answered may be lost."""
    drill, book = Drill(), Book()
    async with AsyncExitStack() as stack:
        first_port, second_port, address = _ports(stack)
        first, url = await _primary(stack, folder, first_port)
        await copies.base_backup(first.admin_url, folder / "second", as_standby=True)
        second = await _started(stack, OwnPostgres(folder / "second", port=second_port))
        await copies.replicate_synchronously(first.admin_url)
        ledger = await _ledger(stack, copies.beside(url, first_port, second_port), address)
        await set_up(address, book)
        async with _writing(address, book, seed):
            await book.until_more(answers)
            first.kill()
            killed = time.monotonic()
            await copies.ask(second.admin_url, "SELECT pg_promote()")
            promoted = time.monotonic()
            await until_back(address, book, "probe")
            drill.figures.append(
                f"promoted {promoted - killed:.2f} s after the kill, the first write was answered"
                f" {time.monotonic() - promoted:.2f} s later"
            )
            await book.until_more(answers)
        drill.wrong += ledger.unexplained_ends
        await _check(drill, address)
        drill.wrong += await recount(copies.beside(url, second_port), book)
        drill.figures.append(f"{len(book.answers)} answers, all of them stored once")
    return drill


async def restore(folder: Path, seed: int, *, answers: int) -> Drill:
    """Lose a server, restore it to an earlier instant from base backup and archived log, and repeat all requests."""
    drill, book = Drill(), Book()
    async with AsyncExitStack() as stack:
        first_port, second_port, address = _ports(stack)
        archive = folder / "archive"
        first, url = await _primary(stack, folder, first_port, archiving=archive)
        ledger = await _ledger(stack, url, address)
        await set_up(address, book)
        async with _writing(address, book, seed):
            await book.until_more(answers)
            await copies.base_backup(first.admin_url, folder / "second", as_standby=False)
            await book.until_more(answers)
            target: datetime = await copies.ask(first.admin_url, "SELECT clock_timestamp()")
            kept = len(book.answers)
            await book.until_more(answers)
        await copies.archive_now(first.admin_url)
        first.kill()
        await _stop(ledger)

        began = time.monotonic()
        copies.recover_to(folder / "second", archive, target)
        second = await _started(stack, OwnPostgres(folder / "second", port=second_port))
        await copies.until(second.admin_url, "SELECT NOT pg_is_in_recovery()")
        restored = copies.beside(url, second_port)
        await _ledger(stack, restored, address)
        again = Book()
        await until_back(address, again, "probe-after")
        drill.figures.append(f"the restored Ledger answered {time.monotonic() - began:.2f} s after the start")
        await _check(drill, address)
        figures = await repeat_all(address, book, again=again)
        drill.figures += [
            f"{kept} of {len(book.answers)} answers were given before the instant",
            *(f"repeated with the same ids: {count} × {what}" for what, count in figures.items()),
        ]
        if not kept * 0.9 <= figures["the same answer"] < len(book.answers):
            drill.wrong.append("the instant is not the one that was asked for")
        await _check(drill, address)
        drill.wrong += await recount(restored, again)
    return drill


def _ports(stack: AsyncExitStack) -> tuple[int, int, str]:
    ports = [stack.enter_context(reserve_port()).getsockname()[1] for _ in range(3)]
    return ports[0], ports[1], f"127.0.0.1:{ports[2]}"


async def _primary(
    stack: AsyncExitStack, folder: Path, port: int, *, archiving: Path | None = None
) -> tuple[OwnPostgres, str]:
    """Return a server with the Ledger's schema, and the URL of the role that serves."""
    settings = {} if archiving is None else copies.archiving(archiving)
    primary = await _started(stack, OwnPostgres(folder / "first", port=port, settings=settings))
    urls = await database.prepare(primary.admin_url, state_folder=folder)
    await migrate(urls.owner["ledger"], service="ledger", runtime_role=role_of(urls.runtime["ledger"]))
    return primary, urls.runtime["ledger"]


async def _started(stack: AsyncExitStack, postgres: OwnPostgres) -> OwnPostgres:
    stack.push_async_callback(postgres.stop)
    await postgres.start()
    return postgres


async def _ledger(stack: AsyncExitStack, url: str, address: str) -> LedgerProcess:
    ledger = LedgerProcess(url, address=address, patience_seconds=PATIENCE_SECONDS, sweep_seconds="0.5")
    await ledger.start()
    stack.push_async_callback(_stop, ledger)
    await ledger.until_said("service_started")
    return ledger


async def _stop(ledger: LedgerProcess) -> None:
    try:
        ledger.ask_to_stop()
    except ProcessLookupError:
        return
    await ledger.ended()


@asynccontextmanager
async def _writing(address: str, book: Book, seed: int) -> AsyncIterator[None]:
    """Write until the block ends and every request is answered."""
    stopped = asyncio.Event()
    dice = random.Random(seed)
    writers = [Writer(f"w{number}", address, book, random.Random(dice.random())) for number in range(WRITERS)]
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as everybody:
            for writer in writers:
                everybody.create_task(writer.write_until(stopped))
            try:
                yield
            finally:
                stopped.set()
    finally:
        for writer in writers:
            await writer.close()


async def _check(drill: Drill, address: str) -> None:
    """Have the Ledger verify itself."""
    async with open_channel(address) as channel:
        verified = await LedgerAdminServiceStub(channel).VerifyLedger(
            apb.VerifyLedgerRequest(), timeout=VERIFY_SECONDS_MAX
        )
    drill.wrong += [str(one) for one in verified.discrepancies]
    if not verified.is_consistent and not verified.discrepancies:
        drill.wrong.append("VerifyLedger: inconsistent")


def main(
    answers: Annotated[int, typer.Option(min=20, help="answered requests before each step")] = 1_000,
    seed: Annotated[int | None, typer.Option(help="decides the requests; without it, a random one")] = None,
) -> None:
    """Run both drills. Exits with 1 when there is a finding."""
    chosen = secrets.randbelow(10**6) if seed is None else seed
    typer.echo(f"seed {chosen}")
    found: Sequence[str] = []
    for drill in (fail_over, restore):
        folder = Path(tempfile.mkdtemp(prefix="purser-drill-"))
        try:
            outcome = asyncio.run(drill(folder, chosen, answers=answers))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        typer.echo(f"{drill.__name__}:")
        for line in [*outcome.figures, *(outcome.wrong or ["nothing is wrong"])]:
            typer.echo(f"  {line}")
        found = [*found, *outcome.wrong]
    raise typer.Exit(1 if found else 0)


if __name__ == "__main__":
    typer.run(main)
