# SPDX-License-Identifier: Apache-2.0
"""A rolling restart of the whole mesh under load, and what callers saw of it."""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.children import SOURCE_ROOT
from deploy.local.database import SERVICES
from deploy.local.seatsco import ASSISTANT, CREDITS_PER_UNIT, Stubs, define_products, set_prices, sign_acme
from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.rolling.load import CALL_SECONDS_MAX, Load, Tally, open_gate, open_plain_stubs
from tests.rolling.replicas import REPLICAS, Replicas, environment_of
from tests.support.mesh import pending, until
from tests.support.postgres import Databases

PLENTY_MICROS = 10**15
# Between two restarts, like minReadySeconds: callers reconnect to a replica that is back within 3 s.
READY_SECONDS = 4.0
# The order in which services are upgraded: who receives before who sends.
UPGRADED = ("ledger", "alert", "catalog", "contract")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to. restarts: of which replicas. spent, told: units that Globex spent, and that callers know of.

    deaths: processes that ended by themselves.
    """

    restarts: Sequence[str]
    tallies: dict[str, Tally]
    units_spent: int
    units_told: int
    is_consistent: bool
    deaths: Sequence[str]
    seconds: float

    @property
    def errors(self) -> list[str]:
        """Every error of every caller, one line each."""
        return [
            f"{caller}: {count} × {text}"
            for caller, tally in self.tallies.items()
            for text, count in tally.errors.items()
        ]


async def roll(
    databases: Databases,
    folder: Path,
    *,
    rounds: int,
    replicas: int = REPLICAS,
    drain_seconds: float,
    age_seconds: float,
    pause_seconds: float = 0.0,
    previous: Path | None = None,
    rollback: Path | None = None,
) -> Outcome:
    """Restart `replicas` of each service `rounds` times, one of each service at a time, while all are called.

    pause_seconds: of each caller between two steps. previous: the folder of an earlier version's code: that runs first;
    then, before the rounds, all schemas are migrated and all replicas upgraded. rollback: the folder of an earlier
    version's code, to which all replicas go back before the rounds, with the schemas as they are; the rounds go forward
    again. Returns when every outbox is empty.
    """
    began = time.monotonic()
    restarts: list[str] = []
    if previous is not None:
        await _begin_with(previous, databases)
    async with (
        Replicas(
            databases.urls,
            folder,
            drain_seconds=drain_seconds,
            age_seconds=age_seconds,
            source=previous or SOURCE_ROOT,
        ) as mesh,
        open_plain_stubs(mesh) as stubs,
        open_gate(mesh) as gate,
    ):
        offer = await set_prices(stubs, await define_products(stubs))
        signed = await sign_acme(stubs, offer)
        await sign_acme(stubs, offer, name="Globex", alias="globex")
        await _give_plenty(stubs, offer.ai_credits)
        before = await _available(stubs)
        load = Load(stubs=stubs, gate=gate, offer=offer, signed=signed.contract, pause_seconds=pause_seconds)
        load.start()
        if previous is not None:
            restarts += await _upgrade(databases, mesh, load)
        if rollback is not None:
            restarts += await _replace(mesh, load, tuple(reversed(UPGRADED)), rollback, "rolled back")
        for _ in range(rounds):
            for number in range(replicas):
                await load.everyone_answered()
                await asyncio.gather(*(mesh.restart(service, number) for service in SERVICES))
                restarts += [f"{service}-{number}" for service in SERVICES]
                if replicas > 1:
                    await asyncio.sleep(READY_SECONDS)
        await load.everyone_answered()
        await load.stop()
        await until(lambda: pending(databases), lambda count: count == 0)
        verified = await stubs.ledger_admin.VerifyLedger(admin.VerifyLedgerRequest(), timeout=600)
        spent = before - await _available(stubs)
    return Outcome(
        restarts=restarts,
        tallies=load.tallies,
        units_spent=spent // (CREDITS_PER_UNIT[ASSISTANT] * MICROS),
        units_told=load.units,
        is_consistent=verified.is_consistent,
        deaths=[str(death) for death in mesh.deaths],
        seconds=time.monotonic() - began,
    )


async def _begin_with(previous: Path, databases: Databases) -> None:
    """Replace every schema by that of the previous version, which migrates it itself."""
    for service in SERVICES:
        await databases.remake_schema(service)
        prefix = f"PURSER_{service.upper()}_"
        migrating = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"services.{service}", "migrate"),
            cwd=previous,
            env={
                **environment_of(previous),
                f"{prefix}DATABASE_URL": databases.url(service),
                f"{prefix}MIGRATION_DATABASE_URL": databases.owner_url(service),
            },
        )
        assert await migrating.wait() == 0


async def _upgrade(databases: Databases, mesh: Replicas, load: Load) -> list[str]:
    """Follow deploy/RUNBOOK.md, "Upgrade and rollback". Returns the replicas that were restarted."""
    await load.everyone_answered()
    for service in UPGRADED:
        await databases.migrate(service)
    return await _replace(mesh, load, UPGRADED, SOURCE_ROOT, "upgraded")


async def _replace(mesh: Replicas, load: Load, services: Sequence[str], source: Path, how: str) -> list[str]:
    """Restart one replica after the other with the code in `source`. Returns which, and `how`."""
    restarts = []
    for service in services:
        for number in range(REPLICAS):
            await load.everyone_answered()
            await mesh.restart(service, number, source)
            await asyncio.sleep(READY_SECONDS)
            restarts.append(f"{service}-{number}, {how}")
    return restarts


async def _give_plenty(stubs: Stubs, credit_type_id: str) -> None:
    await until(lambda: _globex_pools(stubs), bool)  # the Ledger has heard of it
    await stubs.ledger_admin.IssueGrant(
        admin.IssueGrantRequest(
            request_id="plenty",
            customer="globex",
            credit_type_id=credit_type_id,
            grant_kind=ledger.GRANT_KIND_PROMOTIONAL,
            amount_micros=PLENTY_MICROS,
        ),
        timeout=CALL_SECONDS_MAX,
    )


async def _available(stubs: Stubs) -> int:
    (pool,) = await _globex_pools(stubs)
    return pool.available_micros


async def _globex_pools(stubs: Stubs) -> Sequence[ledger.PoolBalance]:
    asked = ledger.GetBalanceRequest(customer="globex")
    return list((await stubs.gate.GetBalance(asked, timeout=CALL_SECONDS_MAX)).pools)
