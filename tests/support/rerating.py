# SPDX-License-Identifier: Apache-2.0
"""Rerate jobs of a running Ledger, done step by step."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from meshkit.clock import SystemClock
from meshkit.ids import Ids
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from services.ledger.operations.usage.rerating import Rerating
from services.ledger.store import PostgresStore
from services.ledger.store.connection import open_pool
from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger, a_rate
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

SECOND = timedelta(seconds=1)

Correction = tuple[int, int, int, str]


class NoRelay:
    """Notices wait in the outbox."""

    def wake(self) -> None:
        """Nobody delivers them."""


@asynccontextmanager
async def worker(
    ledger: RunningLedger, databases: Databases, *, entries_max: int = 2
) -> AsyncIterator[Rerating]:
    """Give another replica's worker, which does as many entries in a step."""
    wall = SystemClock()
    pool = await open_pool(databases.url("ledger"), size=2)
    store = PostgresStore(pool, wall=wall, ids=Ids(wall))
    yield Rerating(
        store=store, clock=ledger.clock, wall=wall, ids=Ids(wall), relay=NoRelay(), entries_max=entries_max
    )
    pool.terminate()


async def finish(rerating: Rerating) -> int:
    """Do all jobs; returns how many steps it took."""
    steps = 0
    while await rerating.step():
        steps += 1
    return steps


async def rerate(ledger: RunningLedger, **more: object) -> usage.RerateJob:
    """Ask for June's usage of prd_assistant to be priced again; `more` overrides fields."""
    asked: dict[str, object] = {
        "request_id": ledger.request_id(),
        "product_id": "prd_assistant",
        "start_time": timestamp(JUNE),
        "end_time": timestamp(JULY),
        "reason": "the price was mistyped",
        "actor": "ops@seatsco.example",
    }
    request = usage.RerateUsageRequest(**(asked | more))  # type: ignore[arg-type]
    return (await ledger.usage.RerateUsage(request)).job


async def rerated(ledger: RunningLedger, **more: object) -> usage.RerateJob:
    """Ask for a job and have it done; returns it as it is then."""
    job = await rerate(ledger, **more)
    await ledger.flush()
    return await job_of(ledger, job)


async def job_of(ledger: RunningLedger, job: usage.RerateJob) -> usage.RerateJob:
    asked = usage.GetRerateJobRequest(rerate_job_id=job.rerate_job_id)
    return (await ledger.usage.GetRerateJob(asked)).job


def flat(price: int | str) -> dict[str, object]:
    """Return the price of a flat rate, in credits a unit."""
    return {"price_micros": int(float(price) * CREDIT)}


def graduated(*tiers: tuple[int, str]) -> dict[str, object]:
    """Return the price of a graduated rate: up to how many units (0: no end), and the credits for each."""
    return {
        "price_micros": 0,
        "per_micros": 0,
        "rate_type": peer_pb.RATE_TYPE_GRADUATED,
        "tiers": [
            peer_pb.RateTier(
                up_to_micros=up_to * CREDIT or None,
                price_micros=int(float(price) * CREDIT),
                per_micros=CREDIT,
            )
            for up_to, price in tiers
        ],
    }


async def price(ledger: RunningLedger, *prices: dict[str, object], version: int, **more: object) -> None:
    """Apply rcd_main with a rate rat_0 of prd_assistant and its corrections rat_1, rat_2, …"""
    rates = []
    for number, terms in enumerate(prices):
        corrects = {"corrects_rate_id": "rat_0"} if number else {}
        created: datetime = JUNE + number * SECOND
        rates.append(
            a_rate(rate_id=f"rat_{number}", create_time=timestamp(created), **corrects, **terms, **more)
        )
    await ledger.tell_card(*rates, version=version)


def credits_of(job: usage.RerateJob) -> list[tuple[int, int, int, int]]:
    """Return expected returned and charged, returned and charged, in credits."""
    return [
        (
            one.expected_returned_micros // CREDIT,
            one.expected_charged_micros // CREDIT,
            one.returned_micros // CREDIT,
            one.charged_micros // CREDIT,
        )
        for one in job.credits
    ]


def counts_of(job: usage.RerateJob) -> tuple[int, int, int, int]:
    return job.customers_total, job.meters_total, job.meters_done, job.entries_done


async def meter(sql: Sql) -> tuple[str, int, int]:
    """Return the rate of the only meter, and its cost and what is not rated in credits."""
    (row,) = await sql.rows("SELECT rate_id, cost_micros, unrated_micros FROM ledger.meters")
    return row["rate_id"], row["cost_micros"] // CREDIT, row["unrated_micros"] // CREDIT


async def corrections(ledger: RunningLedger) -> list[Correction]:
    """Return amount and shortfall in credits, the sequence corrected and the user of the corrections, oldest first."""
    return [
        (
            one.amount_micros // CREDIT,
            one.shortfall_micros // CREDIT,
            one.corrects_sequence,
            one.group_values["user_id"],
        )
        for one in reversed(await ledger.entries(page_size=500))
        if one.entry_kind == admin.ENTRY_KIND_CORRECTION
    ]


async def void(ledger: RunningLedger, transaction_id: str) -> None:
    """Void an event of acme."""
    await ledger.usage.VoidUsage(
        usage.VoidUsageRequest(
            request_id=ledger.request_id(),
            customer="acme",
            transaction_id=transaction_id,
            reason="reported twice",
            actor="ops@seatsco.example",
        )
    )


async def amend(
    ledger: RunningLedger, transaction_id: str, units: str, user: str = "ann", **more: str
) -> None:
    """Make an event report other units; `more`: other properties."""
    await ledger.usage.AmendUsage(
        usage.AmendUsageRequest(
            request_id=ledger.request_id(),
            customer="acme",
            transaction_id=transaction_id,
            properties={"units": units, "user_id": user, **more},
            reason="counted wrong",
            actor="ops@seatsco.example",
        )
    )
