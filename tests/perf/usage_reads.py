# SPDX-License-Identifier: Apache-2.0
"""Reads of usage on a long history of events: P18."""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from meshkit.clock import SystemClock
from meshkit.ids import Ids
from meshkit.page import Page
from meshkit.period import Period
from services.ledger.domain.credits.grant import CreditTypeId, GrantId
from services.ledger.domain.usage.reads import EventFilter, SpenderQuestion, UsageQuestion, UsageWindow
from services.ledger.operations.usage.reads import UsageReads
from services.ledger.operations.usage.summing import Summing
from services.ledger.store import PostgresStore
from services.ledger.store.connection import open_pool
from tests.perf.bench import ENTRIES_PER_CUSTOMER, Bench
from tests.perf.database import Database
from tests.perf.goals import Figure, Spread
from tests.perf.load_entries import History, grant_id
from tests.perf.load_events import load_events
from tests.perf.stopwatch import Stopwatch, TimedPool
from tests.perf.world import CREDIT_TYPE, customer, yesterday

# A customer after all the others, with this share of all events.
BIG_NUMBER = 10**9
BIG_SHARE = 10
DAYS = 30
PAGE_ROWS = 50
SPENDERS = 10
ASKED_PER_ROUND = 100

Read = Callable[[], Awaitable[int]]  # returns the number of rows


async def big_customer(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P18: the time of the statements of each read, without begin and commit."""
    start = yesterday().replace(minute=0, second=0, microsecond=0)
    entries = bench.scale.entries
    big = History(customers=1, entries=entries // BIG_SHARE, first=BIG_NUMBER, start=start)
    others = History(
        customers=(entries - big.entries) // ENTRIES_PER_CUSTOMER, entries=entries - big.entries, start=start
    )
    async with bench.shop() as shop:
        began = time.monotonic()
        for history in (others, big):
            await load_events(shop.database.admin_url, history)
        load_seconds = time.monotonic() - began
        await bench.databases.settle()
        times: dict[str, list[float]] = {}
        rows: dict[str, int] = {}
        async with _timed_reads(shop.database) as (reads, stopwatch):
            questions = _questions(reads, big, start)
            for _ in range(bench.scale.rounds):
                for name, ask in questions.items():
                    asked = []
                    for _ in range(ASKED_PER_ROUND):
                        stopwatch.reset()
                        rows[name] = await ask()
                        asked.append(stopwatch.seconds())
                    times.setdefault(name, []).append(Spread.of(asked).median * 1_000)
        found = await shop.stubs.verify()
    detail = {
        "briefly": f"{big.entries:,} events of the customer, {entries:,} in all",
        "load_seconds": round(load_seconds, 1),
        "rows": rows,
        "audit": {"is_consistent": found.is_consistent, "entries": found.entries, "pools": found.pools},
    }
    parts = {name: Spread.of(values) for name, values in times.items()}
    return {"P18": Figure(parts, detail, holds=found.is_consistent)}


def _questions(reads: UsageReads, big: History, start: datetime) -> dict[str, Read]:
    """Return what is asked of the big customer, by the goal's part."""
    name, pool, page = customer(BIG_NUMBER), CreditTypeId(CREDIT_TYPE), Page(size=PAGE_ROWS, after=None)
    midnight = start.replace(hour=0)
    month = Period(midnight - timedelta(days=DAYS), midnight)

    def usage(group_key: str) -> Read:
        question = UsageQuestion(
            customer=name,
            span=month,
            window=UsageWindow.DAY,
            product_id=None,
            group_key=group_key,
            group_value=None,
            dimension_key="",
        )
        return lambda: _rows(reads.sums(question, page), "sums")

    spenders = SpenderQuestion(
        customer=name,
        credit_type_id=pool,
        group_key="user_id",
        period_time=start - timedelta(days=DAYS // 2),
        product_id=None,
        spenders_max=SPENDERS,
    )
    grant = GrantId(grant_id(f"{BIG_NUMBER:032x}", 0))
    return {
        "by day": usage(""),
        "by user and day": usage("user_id"),
        "top spenders": lambda: _rows(reads.top_spenders(spenders), "spenders"),
        "50 events": lambda: _rows(reads.events(name, EventFilter(), page), "events"),
        "an entry": lambda: _one(reads.origin(name, pool, random.randrange(big.grants + 1, big.entries))),
        "50 uses of a grant": lambda: _rows(reads.grant_uses(name, grant, page)),
    }


async def _rows(answer: Awaitable[Any], of: str = "") -> int:
    """Return how many rows an answer has: itself, or this field of it."""
    found = await answer
    return len(getattr(found, of) if of else found)


async def _one(answer: Awaitable[object]) -> int:
    await answer
    return 1


@asynccontextmanager
async def _timed_reads(database: Database) -> AsyncIterator[tuple[UsageReads, Stopwatch]]:
    """The Ledger's reads of usage, run in this process."""
    stopwatch = Stopwatch()
    pool = await open_pool(database.ledger_url, size=1)
    try:
        clock = SystemClock()
        store = PostgresStore(TimedPool(pool, stopwatch), wall=clock, ids=Ids(clock))
        yield UsageReads(store=store, summing=Summing(store=store, wall=clock), clock=clock), stopwatch
    finally:
        pool.terminate()
