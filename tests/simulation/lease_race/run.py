# SPDX-License-Identifier: Apache-2.0
"""A race: clients with leases use up a pool again and again, while they, the Ledgers and the network are struck."""

import asyncio
import random
import time
from pathlib import Path

from rich.console import Console

from meshkit.quantity import MICROS
from tests.simulation.lease_race import pool
from tests.simulation.lease_race.cluster import (
    CLIENTS,
    CUSTOMER,
    PATIENCE_SECONDS,
    RaceCluster,
    RaceStopped,
    open_cluster,
)
from tests.simulation.lease_race.outcome import Outcome
from tests.simulation.lease_race.strikes import name_of, plan_of, strike

GRANT_MICROS = 400 * MICROS
# After so many denials of all clients there are credits again.
DENIALS_BETWEEN = 3 * CLIENTS


async def race(
    ledger_url: str,
    admin_url: str,
    folder: Path,
    *,
    seed: int,
    strikes: int,
    ttl_seconds: float = 30.0,
    late_seconds: float = 1.0,
    say: Console | None = None,
) -> Outcome:
    """Race on a migrated, empty database, and compare.

    folder: for spools. seed: decides calls, strikes and pauses; the processes decide the rest. late_seconds: see
    Outcome.
    """
    dice = random.Random(seed)
    outcome = Outcome(seed=seed, planned=strikes, late_seconds=late_seconds)
    began = time.monotonic()
    async with open_cluster(ledger_url, folder, dice, ttl_seconds=ttl_seconds) as cluster:
        outcome.logs, outcome.outages = cluster.logs, cluster.outages
        await cluster.top_up(GRANT_MICROS)
        await pool.watch(admin_url)
        try:
            await _race(cluster, outcome, dice, say)
        except RaceStopped as stopped:
            outcome.stopped = str(stopped)
        except TimeoutError:
            outcome.stopped = f"something did not happen within {PATIENCE_SECONDS:.0f} s"
        else:
            verified = await cluster.verify()
            outcome.compare(await pool.stored(admin_url, CUSTOMER), verified)
    outcome.wrong += cluster.wrong
    outcome.seconds = time.monotonic() - began
    return outcome


async def _race(cluster: RaceCluster, outcome: Outcome, dice: random.Random, say: Console | None) -> None:
    """Raises RaceStopped, TimeoutError."""
    await cluster.start_clients()
    topping_up = asyncio.create_task(_top_up_when_denied(cluster))
    try:
        await _until_each(cluster, "used", is_leased=True)
        for number, what in enumerate(plan_of(outcome.planned, dice, ttl_seconds=cluster.ttl_seconds), 1):
            await strike(cluster, what, dice)
            outcome.struck[name_of(what)] += 1
            if say is not None:
                say.print(f"[dim]strike {number:>4}: {name_of(what)}; {cluster.logs.denials:,} denials[/]")
        await _until_each(cluster, "used", is_leased=True)
    finally:
        topping_up.cancel()
    await asyncio.wait({topping_up})
    await _until_each(cluster, "denied", is_leased=False)
    await cluster.finish()


async def _until_each(cluster: RaceCluster, outcome: str, *, is_leased: bool) -> None:
    logs = [client.log for client in cluster.clients]
    async with asyncio.timeout(PATIENCE_SECONDS):
        await cluster.logs.until_each(logs, outcome, after=time.time(), is_leased=is_leased)


async def _top_up_when_denied(cluster: RaceCluster) -> None:
    """Grant credits whenever the pool has denied enough calls."""
    while True:
        await cluster.logs.until_denied(cluster.logs.denials + DENIALS_BETWEEN)
        await cluster.top_up(GRANT_MICROS)
