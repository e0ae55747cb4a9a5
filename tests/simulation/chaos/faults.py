# SPDX-License-Identifier: Apache-2.0
"""The faults: each strikes when its block is entered, lasts for the block, and is healed at its end.

A block yields what was struck. Whoever heals does no more than a cluster would: it starts what has ended, frees the
disk, renews certificates.
"""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta

import asyncpg

from deploy.local.webhook_receiver import WebhookReceiver
from tests.simulation.chaos.clocks import COMPILERS
from tests.simulation.chaos.disk import NOT_HERE, SmallDisk
from tests.simulation.chaos.mesh import ChaosMesh, Replica
from tests.simulation.fault_proxy import FaultProxy

# Less than the margin of certificates and webhooks (5 minutes), more than that of tokens (10 s).
OFFSETS = (timedelta(seconds=-30), timedelta(seconds=-3), timedelta(seconds=3), timedelta(seconds=30))
# Certificates count whole seconds.
CERTIFICATES_VALID = timedelta(seconds=1)
FILL_SECONDS = 0.1
# The gate is what must go on: so its service is struck most.
WEIGHTS = {"ledger": 4, "contract": 2, "alert": 2, "catalog": 1}

Strike = Callable[["Stage"], AbstractAsyncContextManager[str]]


class Stage:
    """What faults strike, and the dice that choose."""

    def __init__(self, mesh: ChaosMesh, receiver: WebhookReceiver, dice: random.Random) -> None:
        self.mesh = mesh
        self.receiver = receiver
        self.dice = dice

    def service(self) -> str:
        (chosen,) = self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))
        return chosen

    def replica(self) -> Replica:
        return self.dice.choice(self.mesh.replicas[self.service()])


@asynccontextmanager
async def _replica_killed(stage: Stage) -> AsyncIterator[str]:
    replica = stage.replica()
    await replica.kill()
    yield replica.name
    await replica.start()


@asynccontextmanager
async def _replica_without_database(stage: Stage) -> AsyncIterator[str]:
    """It starts while the database is away: it may end with one line, and is then started again."""
    replica, mesh = stage.replica(), stage.mesh
    await replica.kill()
    mesh.database_proxy.cut_off(*mesh.database_proxy.servers)
    await replica.start()
    yield replica.name
    mesh.database_proxy.heal()
    said = f"{replica.name} stopped with exit code 1: {replica.service}: the database is unavailable"
    deaths = [death for death in mesh.deaths if death.startswith(said)]
    for death in deaths:
        mesh.deaths.remove(death)
        await replica.start()


@asynccontextmanager
async def _service_killed(stage: Stage) -> AsyncIterator[str]:
    """All replicas at once."""
    service = stage.service()
    replicas = stage.mesh.replicas[service]
    await asyncio.gather(*(replica.kill() for replica in replicas))
    yield service
    for replica in replicas:
        await replica.start()


@asynccontextmanager
async def _replica_paused(stage: Stage) -> AsyncIterator[str]:
    replica = stage.replica()
    replica.signal(signal.SIGSTOP)
    yield replica.name
    replica.signal(signal.SIGCONT)


@asynccontextmanager
async def _replica_cut_off(stage: Stage) -> AsyncIterator[str]:
    """From callers and from the other services; it still reaches them and the database."""
    replica = stage.replica()
    for proxy, address in _ways_to(stage, replica):
        proxy.cut_off(address)
    yield replica.name
    for proxy, _ in _ways_to(stage, replica):
        proxy.heal()


@asynccontextmanager
async def _replica_silent(stage: Stage) -> AsyncIterator[str]:
    """Its connections stay open, and nothing comes through."""
    replica = stage.replica()
    for proxy, address in _ways_to(stage, replica):
        proxy.silence(address)
    yield replica.name
    for proxy, _ in _ways_to(stage, replica):
        proxy.heal()


def _ways_to(stage: Stage, replica: Replica) -> tuple[tuple[FaultProxy, str], tuple[FaultProxy, str]]:
    """The proxies before a replica, each with the address at which it reaches the replica."""
    return (
        (stage.mesh.proxies[replica.service], replica.address),
        (stage.mesh.peer_proxies[replica.service], replica.peer_address),
    )


@asynccontextmanager
async def _database_killed(stage: Stage) -> AsyncIterator[str]:
    stage.mesh.postgres.kill()
    yield "PostgreSQL"
    await stage.mesh.postgres.start()


@asynccontextmanager
async def _database_paused(stage: Stage) -> AsyncIterator[str]:
    stage.mesh.postgres.pause()
    yield "PostgreSQL"
    stage.mesh.postgres.resume()


@asynccontextmanager
async def _database_cut_off(stage: Stage) -> AsyncIterator[str]:
    proxy = stage.mesh.database_proxy
    proxy.cut_off(*proxy.servers)
    yield "PostgreSQL"
    proxy.heal()


@asynccontextmanager
async def _database_silent(stage: Stage) -> AsyncIterator[str]:
    proxy = stage.mesh.database_proxy
    proxy.silence(*proxy.servers)
    yield "PostgreSQL"
    proxy.heal()


@asynccontextmanager
async def _disk_full(stage: Stage) -> AsyncIterator[str]:
    """No table can grow; the log goes on in files that PostgreSQL had kept."""
    async with _filled(stage):
        yield "PostgreSQL's disk"


@asynccontextmanager
async def _log_full(stage: Stage) -> AsyncIterator[str]:
    """Those files are used up too: PostgreSQL stops, and cannot start before there is room."""
    async with _filled(stage):
        using = asyncio.create_task(_use_up_log(stage.mesh.admin_url))
        try:
            yield "PostgreSQL's disk"
        finally:
            using.cancel()


@asynccontextmanager
async def _filled(stage: Stage) -> AsyncIterator[None]:
    disk = stage.mesh.disk
    assert disk is not None
    disk.fill()
    filling = asyncio.create_task(_keep_full(disk))
    try:
        yield
    finally:
        filling.cancel()
        disk.free()
    await stage.mesh.postgres.restart_if_ended()


async def _keep_full(disk: SmallDisk) -> None:
    """Take what PostgreSQL frees by itself."""
    while True:
        await asyncio.sleep(FILL_SECONDS)
        disk.fill()


async def _use_up_log(admin_url: str) -> None:
    """Let PostgreSQL begin a new file of its log again and again, as much load would."""
    while True:
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(admin_url, timeout=FILL_SECONDS * 10)
            try:
                while True:
                    await connection.execute("SELECT pg_switch_wal()", timeout=FILL_SECONDS * 10)
                    await asyncio.sleep(FILL_SECONDS)
            finally:
                connection.terminate()
        await asyncio.sleep(FILL_SECONDS)


@asynccontextmanager
async def _clock_wrong(stage: Stage) -> AsyncIterator[str]:
    """The clock of one replica jumps, and jumps back."""
    replica, offset = stage.replica(), stage.dice.choice(OFFSETS)
    replica.clock.set(offset)
    yield f"{replica.name} by {offset.total_seconds():+.0f} s"
    replica.clock.set(timedelta(0))


@asynccontextmanager
async def _certificates_expired(stage: Stage) -> AsyncIterator[str]:
    """Those of all services expire, and all connections must be opened anew, as every 15 minutes anyway."""
    stage.mesh.renew_certificates(CERTIFICATES_VALID)
    await asyncio.sleep(CERTIFICATES_VALID.total_seconds())
    for proxy in stage.mesh.all_proxies:
        proxy.reset(*proxy.servers)
    yield "all services"
    stage.mesh.renew_certificates()


@asynccontextmanager
async def _receiver_away(stage: Stage) -> AsyncIterator[str]:
    await stage.receiver.stop()
    yield "webhook receiver"
    await stage.receiver.start()


FAULTS: Mapping[str, Strike] = {
    "replica killed": _replica_killed,
    "replica paused": _replica_paused,
    "replica cut off": _replica_cut_off,
    "replica silent": _replica_silent,
    "replica without database": _replica_without_database,
    "service killed": _service_killed,
    "database killed": _database_killed,
    "database paused": _database_paused,
    "database cut off": _database_cut_off,
    "database silent": _database_silent,
    "disk full": _disk_full,
    "log full": _log_full,
    "clock wrong": _clock_wrong,
    "certificates expired": _certificates_expired,
    "receiver away": _receiver_away,
}


def left_out(mesh: ChaosMesh) -> dict[str, str]:
    """Return the faults that this machine does not allow, and why."""
    why: dict[str, str] = {}
    if mesh.disk is None:
        why |= dict.fromkeys(("disk full", "log full"), NOT_HERE)
    if mesh.library is None:
        why["clock wrong"] = f"no wrong clocks: this needs a C compiler ({', '.join(COMPILERS)})"
    return why


def plan_of(names: list[str], count: int, dice: random.Random) -> list[str]:
    """Return `count` faults in order: each once, in an order drawn at random, before any comes again."""
    rounds = -(-count // len(names))
    return [name for _ in range(rounds) for name in dice.sample(names, len(names))][:count]
