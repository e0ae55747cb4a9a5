# SPDX-License-Identifier: Apache-2.0
"""The crash test: writers, a proxy that cuts replies, and kill -9 of Ledgers and of PostgreSQL's postmaster.

`make crash` runs it for long: `python -m tests.simulation.crash --kills 30 --seed 7`. Every acknowledged write must be
stored, each request_id at most once, every grant must add up, and the Ledger must answer again after each kill.
"""

import asyncio
import random
import secrets
import shutil
import tempfile
import time
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from meshkit.rpc.client import open_channel
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from tests.simulation.crash_book import Book
from tests.simulation.crash_cluster import TARGETS, Cluster
from tests.simulation.crash_recount import recount
from tests.simulation.crash_report import Outcome, table_of, verdict
from tests.simulation.crash_setup import set_up
from tests.simulation.crash_writers import Writer, until_back
from tests.simulation.fault_proxy import FaultProxy
from tests.simulation.own_postgres import PATIENCE_SECONDS
from tests.support.ledger_process import ProcessEnded

WRITERS = 8
CUT_SHARE = 0.01
ANSWERS_BETWEEN_KILLS = 40
# Between two requests of a writer after a kill, until the return: the restarted process needs the processor more.
PAUSE_AFTER_KILL_SECONDS = 0.25
VERIFY_SECONDS_MAX = 600.0


class RunStopped(Exception):
    """The run cannot continue: something did not happen within the patience; in one line."""


async def crash(
    kills: int,
    seed: int,
    *,
    cut_share: float = CUT_SHARE,
    citus: Path | None = None,
    say: Console | None = None,
) -> Outcome:
    """Kill `kills` times while writers write, and recount. seed: decides targets, instants, cuts and requests.

    citus: the programs of a PostgreSQL with Citus, to kill nodes of a cluster.
    """
    outcome = Outcome(seed=seed, planned=kills)
    dice = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="purser-crash-"))
    cluster = Cluster(folder, citus=citus)
    began = time.monotonic()
    try:
        await cluster.start()
        await set_up(cluster.alone.asked_address, outcome.book)
        addresses = cluster.addresses_of("postmaster")
        outcome.proxy = FaultProxy(addresses, cut_share=cut_share, dice=random.Random(dice.random()))
        try:
            async with outcome.proxy.open():
                await _kill_under_load(cluster, outcome, plan_of(kills, dice, cluster.targets), dice, say)
        except* RunStopped as stopped:
            outcome.stopped = str(stopped.exceptions[0])
            outcome.wrong = list(outcome.book.wrong)
        else:
            outcome.recounted = await _verify(addresses[0])
            outcome.wrong = await recount(cluster.url, outcome.book)
            if not outcome.recounted.is_consistent:
                outcome.wrong += [str(one) for one in outcome.recounted.discrepancies] or [
                    "VerifyLedger: inconsistent"
                ]
        outcome.wrong += cluster.unexplained_ends()
    finally:
        await cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
    outcome.seconds = time.monotonic() - began
    return outcome


def plan_of(kills: int, dice: random.Random, targets: Mapping[str, int] = TARGETS) -> list[str]:
    """Return what is killed, in order: each target once while there are kills left, then targets drawn at random."""
    more = dice.choices(list(targets), list(targets.values()), k=max(0, kills - len(targets)))
    return [*targets, *more][:kills]


async def _kill_under_load(
    cluster: Cluster, outcome: Outcome, targets: Sequence[str], dice: random.Random, say: Console | None
) -> None:
    """Raises RunStopped, in an ExceptionGroup with whatever else went wrong."""
    assert outcome.proxy is not None
    stopped = asyncio.Event()
    book = outcome.book
    writers = [
        Writer(f"w{number}", outcome.proxy.address, book, random.Random(dice.random()))
        for number in range(WRITERS)
    ]
    try:
        async with asyncio.TaskGroup() as everybody:
            tasks = [everybody.create_task(writer.write_until(stopped)) for writer in writers]
            for number, target in enumerate(targets, 1):
                await _within_patience(
                    f"{ANSWERS_BETWEEN_KILLS} answers before kill {number}",
                    book.until_more(ANSWERS_BETWEEN_KILLS),
                )
                await asyncio.sleep(dice.uniform(0, 0.5))
                began = time.monotonic()
                _set_pause(writers, PAUSE_AFTER_KILL_SECONDS)
                await _within_patience(
                    f"the return after kill {number} (of a {target})",
                    _kill(cluster, book, target, number, dice),
                )
                outcome.back_seconds[target].append(time.monotonic() - began)
                _set_pause(writers, 0)
                if say is not None:
                    answered, seconds = len(book.answers), outcome.back_seconds[target][-1]
                    say.print(
                        f"[dim]kill {number:>4}: {target}, back after {seconds:.2f} s; {answered:,} answers[/]"
                    )
            await _within_patience("the last answers", book.until_more(ANSWERS_BETWEEN_KILLS))
            stopped.set()
            await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
            _complain_of_writers(writers, tasks)
    finally:
        for writer in writers:
            await writer.close()


def _set_pause(writers: Sequence[Writer], seconds: float) -> None:
    for writer in writers:
        writer.pause_seconds = seconds


async def _kill(cluster: Cluster, book: Book, target: str, number: int, dice: random.Random) -> None:
    """Kill, and return when writes are answered again by as many processes as before."""
    await cluster.kill(target, dice)
    for address in cluster.addresses_of(target):
        await until_back(address, book, f"probe-{number}-{address.rpartition(':')[2]}")


async def _within_patience(what: str, awaited: Coroutine[Any, Any, None]) -> None:
    """Wait for something. Raises RunStopped when it takes longer than the patience, or a Ledger ends meanwhile."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await awaited
    except TimeoutError as error:
        reason = f" ({error})" if str(error) else ""
        raise RunStopped(f"{what} did not come within {PATIENCE_SECONDS:.0f} s{reason}") from error
    except ProcessEnded as error:
        raise RunStopped(f"{what} did not come: {error}") from error


def _complain_of_writers(writers: Sequence[Writer], tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Raise RunStopped when a writer has no answer to its last request, or gave up."""
    for writer, task in zip(writers, tasks, strict=True):
        if not task.done() or task.cancelled():
            what = "gave up" if task.done() else f"has no answer after {PATIENCE_SECONDS:.0f} s"
            asked = ", ".join(f"{type(one).__name__} {one.request_id}" for one in writer.waits_for)
            raise RunStopped(f"a writer {what}: {asked}")


async def _verify(address: str) -> apb.VerifyLedgerResponse:
    async with open_channel(address) as channel:
        admin = LedgerAdminServiceStub(channel)
        return await admin.VerifyLedger(apb.VerifyLedgerRequest(), timeout=VERIFY_SECONDS_MAX)


def main(
    kills: Annotated[int, typer.Option(min=1, help="how many times to kill")] = 30,
    seed: Annotated[
        int | None,
        typer.Option(help="the same seed makes the same kills and requests; without it, a random one"),
    ] = None,
    citus: Annotated[
        Path | None,
        typer.Option(help="folder of the programs of a PostgreSQL 18 with Citus: kill nodes of a cluster"),
    ] = None,
) -> None:
    """Kill Ledgers and PostgreSQL under load, and recount. Exits with 1 when there is a finding."""
    console = Console(highlight=False)
    chosen = secrets.randbelow(10**6) if seed is None else seed
    console.print(f"seed {chosen}")
    outcome = asyncio.run(crash(kills, chosen, citus=citus, say=console))
    console.print(table_of(outcome))
    for line in verdict(outcome):
        console.print(line, style="green" if outcome.is_good else "red", markup=False)
    raise typer.Exit(0 if outcome.is_good else 1)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
