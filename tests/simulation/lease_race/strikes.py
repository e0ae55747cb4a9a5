# SPDX-License-Identifier: Apache-2.0
"""What strikes during a race, one after the other."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

from tests.simulation.lease_race.cluster import RaceCluster

PAUSE_SECONDS_MAX = 0.6
# A client waits so long at most until it asks again.
BACK_SECONDS = 1.0
# After an outage as long as a lease, so that its uses are reported within the grace of 10 s, also if others follow.
REPORTED_SECONDS = 3.0

Strike = Callable[[RaceCluster, random.Random], Awaitable[None]]


@contextmanager
def outage(cluster: RaceCluster) -> Iterator[None]:
    """Note that the Ledger cannot be reached during the block, and for a little longer."""
    began = time.time()
    yield
    cluster.note_outage(began, time.time() + BACK_SECONDS)


async def client_killed(cluster: RaceCluster, dice: random.Random) -> None:
    """Kill -9 of a client; its successor has another user and the same spool."""
    client = dice.choice(cluster.clients)
    await cluster.kill(client)
    await asyncio.sleep(dice.uniform(0, 0.5))
    await cluster.restart(client)


async def ledger_killed(cluster: RaceCluster, dice: random.Random) -> None:
    """Kill -9 of one of the Ledgers; it is started again."""
    ledger = dice.choice(cluster.ledgers)
    with outage(cluster):
        ledger.kill()
        await ledger.ended()
    await ledger.restart()


async def network_cut(cluster: RaceCluster, dice: random.Random) -> None:
    """All connections are reset, and none can be opened for a while."""
    with outage(cluster):
        cluster.proxy.cut_off(*cluster.proxy.servers)
        await asyncio.sleep(dice.uniform(0.2, 1.5))
        cluster.proxy.heal()


async def network_silent(cluster: RaceCluster, dice: random.Random) -> None:
    """Connections stay open, and nothing comes through for a while."""
    with outage(cluster):
        cluster.proxy.silence(*cluster.proxy.servers)
        await asyncio.sleep(dice.uniform(0.2, 1.5))
        cluster.proxy.heal()


async def leases_expired(cluster: RaceCluster, dice: random.Random) -> None:
    """The network is cut for longer than leases live, so that all end unreported."""
    with outage(cluster):
        cluster.proxy.cut_off(*cluster.proxy.servers)
        await asyncio.sleep(cluster.ttl_seconds + dice.uniform(0.2, 1.0))
        cluster.proxy.heal()
    await asyncio.sleep(REPORTED_SECONDS)


async def client_killed_without_network(cluster: RaceCluster, dice: random.Random) -> None:
    """Kill -9 of a client that cannot report."""
    with outage(cluster):
        cluster.proxy.cut_off(*cluster.proxy.servers)
        await asyncio.sleep(dice.uniform(0.2, 1.0))
        await client_killed(cluster, dice)
        cluster.proxy.heal()


# With relative frequencies; each strikes once before any strikes again.
STRIKES: Mapping[Strike, int] = {
    client_killed: 5,
    ledger_killed: 3,
    network_cut: 2,
    network_silent: 2,
    client_killed_without_network: 2,
    leases_expired: 1,
}


def plan_of(count: int, dice: random.Random, *, ttl_seconds: float) -> list[Strike]:
    """Return what strikes, in order. Leases expire only where that takes seconds."""
    among = {one: often for one, often in STRIKES.items() if one is not leases_expired or ttl_seconds <= 10}
    more = dice.choices(list(among), list(among.values()), k=max(0, count - len(among)))
    return [*among, *more][:count]


async def strike(cluster: RaceCluster, what: Strike, dice: random.Random) -> None:
    """Wait a little, and strike."""
    await asyncio.sleep(dice.uniform(0, PAUSE_SECONDS_MAX))
    await what(cluster, dice)


def name_of(what: Strike) -> str:
    return what.__name__.replace("_", " ")
