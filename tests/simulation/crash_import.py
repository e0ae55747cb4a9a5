# SPDX-License-Identifier: Apache-2.0
"""The import's crash test: kill -9 of the importer, the Ledger and PostgreSQL in the middle of a file of events.

`make crash-import` runs it for long: `python -m tests.simulation.crash_import --events 100000 --kills 12 --seed 7`. The
file is imported by the real command, which is started again whenever it ended. Then each event must be stored, charged
and counted exactly once.
"""

import asyncio
import random
import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from meshkit.rpc.client import open_channel
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from tests.simulation.crash_book import Book
from tests.simulation.crash_cluster import Cluster
from tests.simulation.crash_import_recount import Lines, differences, write_file
from tests.simulation.crash_setup import set_up
from tests.simulation.own_postgres import PATIENCE_SECONDS
from tests.support.usage_import import Finished, ImportCommand, importing

IMPORTER, LEDGER, POSTGRES = "importer", "Ledger", "PostgreSQL"
# What is killed at one moment; each comes up once before any comes up again.
TARGETS = (
    (POSTGRES,),
    (IMPORTER,),
    (LEDGER,),
    (LEDGER, POSTGRES),
    (IMPORTER, LEDGER, POSTGRES),
    (IMPORTER, LEDGER),
)
LOOK_SECONDS = 0.02
PAUSE_SECONDS_MAX = 0.1
FINDINGS_SHOWN = 20


@dataclass(slots=True)
class ImportOutcome:
    """What a run found.

    kills: how often each was killed. ends: how often the importer gave up by itself and was started again. finished:
    the last run of the importer. wrong: the findings, one line each.
    """

    seed: int
    events: int
    kills: Counter[str] = field(default_factory=Counter)
    ends: int = 0
    seconds: float = 0.0
    finished: Finished | None = None
    verified: apb.VerifyLedgerResponse | None = None
    wrong: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return self.verified is not None and self.verified.is_consistent and not self.wrong


async def crash_import(events: int, kills: int, seed: int, *, say: Console | None = None) -> ImportOutcome:
    """Import a file of `events` events, kill at `kills` moments, and recount. seed: of file, targets and moments."""
    outcome = ImportOutcome(seed=seed, events=events)
    dice = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="purser-crash-"))
    cluster = Cluster(folder, has_workers=False)
    began = time.monotonic()
    try:
        await cluster.start()
        address = cluster.alone.asked_address
        await set_up(address, Book())
        path = folder / "usage.jsonl"
        lines = write_file(path, events, dice)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _import_under_kills(cluster, path, outcome, plan_of(events, kills, dice), dice, say)
        async with open_channel(address) as channel:
            outcome.verified = await LedgerAdminServiceStub(channel).VerifyLedger(
                apb.VerifyLedgerRequest(), timeout=PATIENCE_SECONDS
            )
        outcome.wrong += [str(one) for one in outcome.verified.discrepancies]
        outcome.wrong += await differences(cluster.url, lines)
        outcome.wrong += _of_command(outcome, lines) + cluster.unexplained_ends()
    finally:
        await cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
    outcome.seconds = time.monotonic() - began
    return outcome


def plan_of(events: int, kills: int, dice: random.Random) -> list[tuple[int, tuple[str, ...]]]:
    """Return how many events are stored when something is killed, ascending, and what is."""
    targets: list[tuple[str, ...]] = []
    while len(targets) < kills:
        targets += dice.sample(TARGETS, len(TARGETS)) if targets else TARGETS
    moments = [int(events * (number + dice.random()) / (kills + 1)) for number in range(kills)]
    return list(zip(moments, targets[:kills], strict=True))


async def _import_under_kills(
    cluster: Cluster,
    path: Path,
    outcome: ImportOutcome,
    plan: Sequence[tuple[int, tuple[str, ...]]],
    dice: random.Random,
    say: Console | None,
) -> None:
    async with AsyncExitStack() as stack:
        command = await stack.enter_async_context(importing(path, cluster.alone.asked_address))
        for stored_min, targets in plan:
            stored = 0
            while stored < stored_min and not (command.has_ended and stored == outcome.events):
                await asyncio.sleep(LOOK_SECONDS)
                command = await _alive(stack, command, path, cluster, outcome)
                stored = await _stored(cluster.url)
            await asyncio.sleep(dice.uniform(0, PAUSE_SECONDS_MAX))
            if command.has_ended:
                break
            if IMPORTER in targets:
                command.kill()
                await command.ended()
                command = await stack.enter_async_context(importing(path, cluster.alone.asked_address))
            began = time.monotonic()
            await _kill(cluster, targets, dice)
            outcome.kills.update(targets)
            if say is not None:
                back = time.monotonic() - began
                say.print(
                    f"[dim]{stored:>9,} events stored: killed {', '.join(targets)}; back after {back:.2f} s[/]"
                )
        while (finished := await command.ended(seconds_max=PATIENCE_SECONDS)).status != 0:
            command = await _alive(stack, command, path, cluster, outcome)
        outcome.finished = finished


async def _alive(
    stack: AsyncExitStack, command: ImportCommand, path: Path, cluster: Cluster, outcome: ImportOutcome
) -> ImportCommand:
    """Return a running import: another one if this one gave up."""
    if not command.has_ended or (await command.ended()).status == 0:
        return command
    outcome.ends += 1
    return await stack.enter_async_context(importing(path, cluster.alone.asked_address))


async def _kill(cluster: Cluster, targets: tuple[str, ...], dice: random.Random) -> None:
    match LEDGER in targets, POSTGRES in targets:
        case True, True:
            await cluster.kill("replica and postmaster", dice)
        case True, False:
            await cluster.kill("replica", dice)
        case False, True:
            await cluster.kill("postmaster", dice)


async def _stored(url: str) -> int:
    """Return how many events are stored; 0 while PostgreSQL does not answer."""
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError):
        return 0
    try:
        count: int = await connection.fetchval("SELECT count(*) FROM ledger.usage_events")
        return count
    finally:
        await connection.close()


def _of_command(outcome: ImportOutcome, lines: Lines) -> list[str]:
    """Return what is wrong in the last words of the command, whose counts are those of all its runs."""
    assert outcome.finished is not None
    counts = outcome.finished.counts
    recorded = counts.get("accepted", 0) + counts.get("recorded before", 0)
    if recorded == counts.get("all") == len(lines) and not counts.get("rejected"):
        return []
    return [f"the command's counts: {counts}"]


def verdict(outcome: ImportOutcome) -> list[str]:
    """Say in words what was checked and what was found, one line each; the first line is the result."""
    if not outcome.is_good:
        return [f"{len(outcome.wrong):,} findings:", *outcome.wrong[:FINDINGS_SHOWN]]
    assert outcome.verified is not None
    return [
        f"{outcome.events:,} events, {outcome.kills.total():,} kills: each event was counted exactly once.",
        "Stored once: each event, and in its entries its units and its cost.",
        "The meters have the units and the cost of the events; the command counted every line once.",
        f"VerifyLedger recounted {outcome.verified.entries:,} entries and found no discrepancy.",
    ]


def table_of(outcome: ImportOutcome) -> Table:
    """Return the figures of a run."""
    table = Table("what", "how many", title=f"seed {outcome.seed}: {outcome.seconds:,.0f} s")
    for target, count in sorted(outcome.kills.items()):
        table.add_row(f"kill -9 of {target}", f"{count:,}")
    table.add_row("the importer gave up and was started again", f"{outcome.ends:,}")
    for label, count in outcome.finished.counts.items() if outcome.finished else ():
        table.add_row(f"lines {label}", f"{count:,}")
    table.add_row("findings", f"{len(outcome.wrong):,}")
    return table


def main(
    events: Annotated[int, typer.Option(min=1_000, help="lines of the file")] = 100_000,
    kills: Annotated[int, typer.Option(min=1, help="at how many moments something is killed")] = 12,
    seed: Annotated[
        int | None, typer.Option(help="of file, targets and moments; without it, a random one")
    ] = None,
) -> None:
    """Kill importer, Ledger and PostgreSQL during an import, and recount. Exits with 1 when there is a finding."""
    console = Console(highlight=False)
    chosen = secrets.randbelow(10**6) if seed is None else seed
    console.print(f"seed {chosen}")
    outcome = asyncio.run(crash_import(events, kills, chosen, say=console))
    console.print(table_of(outcome))
    for line in verdict(outcome):
        console.print(line, style="green" if outcome.is_good else "red", markup=False)
    raise typer.Exit(0 if outcome.is_good else 1)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
