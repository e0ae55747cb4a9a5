# SPDX-License-Identifier: Apache-2.0
"""The cost of a long history and of many grants: P10, P11 and P12."""

import random
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from meshkit.clock import SystemClock
from meshkit.ids import Ids
from meshkit.page import Page
from services.ledger.domain.credits.grant import CreditTypeId
from services.ledger.operations.credits.reports import Reports
from services.ledger.operations.credits.settlement import Settlement
from services.ledger.store import PostgresStore
from services.ledger.store.connection import open_pool
from tests.perf.bench import IN_FLIGHT, Bench, by_round, highest, holds, p50s, rates, raw
from tests.perf.database import Database
from tests.perf.goals import Figure, Spread
from tests.perf.load import Kind
from tests.perf.load_entries import History, load
from tests.perf.stopwatch import Stopwatch, TimedConnection, TimedPool
from tests.perf.world import CREDIT_TYPE, customer, customers
from tests.support.ledger_store import CountingRelay

# A customer after all the others.
HEAVY_NUMBER = 10**9
HEAVY_ENTRIES = 20_000
PAGE_ROWS = 50
ASKED_PER_ROUND = 400
FEW_GRANTS, MANY_GRANTS = 10, 1_000


async def long_history(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P10 and P12, on the same long history."""
    scale = bench.scale
    history = History(customers=scale.history_customers, entries=scale.entries)
    async with bench.databases.fresh() as long:
        began = time.monotonic()
        await load(long.admin_url, history)
        loaded = {
            "entries": history.entries,
            "customers": history.customers,
            "load_seconds": round(time.monotonic() - began, 1),
        }
        figures = {}
        if "P12" in wanted:
            figures["P12"] = await _in_sql(bench, long, loaded)
        if "P10" in wanted:
            figures["P10"] = await _warm(bench, long, loaded)
        return figures


async def _warm(bench: Bench, long: Database, loaded: Mapping[str, Any]) -> Figure:
    """P10: the same calls for as many customers, with a history and without one."""
    scale = bench.scale
    step = scale.history_customers // scale.spread
    asked = tuple(customer(1 + number * step) for number in range(scale.spread))
    async with bench.databases.fresh() as empty:
        await load(empty.admin_url, History(customers=scale.spread, entries=scale.spread * 2))
        async with bench.shop(database=empty) as short, bench.shop(database=long) as full:
            series = {}
            for name, kind, in_flight in (
                ("authorize", Kind.AUTHORIZE, 1),
                ("debit", Kind.DEBIT, 1),
                ("debit 64", Kind.DEBIT, IN_FLIGHT),
            ):
                for shop, of, names in ((short, "empty", customers(scale.spread)), (full, "full", asked)):
                    series[f"{name} {of}"] = bench.calls(shop, kind, in_flight=in_flight, names=names)
            # Once each, so that both Ledgers have cached all their customers.
            for name in ("debit 64 empty", "debit 64 full"):
                await series[name]()
            runs = await bench.interleaved(series)
            found = await full.stubs.verify()
    ratios = {
        name: by_round(
            lambda full, empty: full.p50_ms / empty.p50_ms, runs[f"{name} full"], runs[f"{name} empty"]
        )
        for name in ("authorize", "debit", "debit 64")
    }
    debits = p50s(runs, "debit empty", "debit full", "debit 64 empty", "debit 64 full")
    detail = {
        "briefly": f"{history_of(loaded)}; {debits}",
        **loaded,
        "customers_asked": scale.spread,
        "p50_ratio": {name: spread.as_json() for name, spread in ratios.items()},
        "series": raw(runs),
        "audit": {"is_consistent": found.is_consistent, "entries": found.entries, "pools": found.pools},
    }
    return Figure({"": highest(ratios.values())}, detail, holds=found.is_consistent)


async def many_grants(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P11: time per call, 64 in flight on one pool, with 1,000 active grants compared with 10."""
    few, many = customer(1), customer(2)
    async with bench.databases.fresh() as database:
        for number, grants in ((1, FEW_GRANTS), (2, MANY_GRANTS)):
            history = History(customers=1, entries=grants, first=number, grants=grants, expires=True)
            await load(database.admin_url, history)
        async with bench.shop(database=database) as shop:
            series = {
                f"{kind.value} {name}": bench.calls(shop, kind, in_flight=IN_FLIGHT, names=(who,))
                for kind in (Kind.AUTHORIZE, Kind.DEBIT)
                for name, who in (("few", few), ("many", many))
            }
            runs = await bench.interleaved(series)
            audit = await shop.audit([run for one in runs.values() for run in one])
    cost = {
        kind.value: by_round(
            lambda few, many: few.calls_per_second / many.calls_per_second,
            *(runs[f"{kind.value} few"], runs[f"{kind.value} many"]),
        )
        for kind in (Kind.AUTHORIZE, Kind.DEBIT)
    }
    detail = {
        "briefly": rates(runs, *runs),
        "grants": {"few": FEW_GRANTS, "many": MANY_GRANTS},
        "cost_ratio": {name: spread.as_json() for name, spread in cost.items()},
        "series": raw(runs),
        "audit": audit,
    }
    return {"P11": Figure({"": highest(cost.values())}, detail, holds=holds(audit))}


async def _in_sql(bench: Bench, long: Database, loaded: Mapping[str, Any]) -> Figure:
    """P12: the time of the statements of one read, without begin and commit."""
    await load(long.admin_url, History(customers=1, entries=HEAVY_ENTRIES, first=HEAVY_NUMBER))
    page = Page(size=PAGE_ROWS, after=None)
    times: dict[str, list[float]] = {"entries": [], "balance": [], "round trip": []}
    async with _timed_reports(long) as (reports, stopwatch, connection):
        for _ in range(bench.scale.rounds):
            asked: dict[str, list[float]] = {name: [] for name in times}
            for _ in range(ASKED_PER_ROUND):
                stopwatch.reset()
                await reports.entries(customer(HEAVY_NUMBER), CreditTypeId(CREDIT_TYPE), None, page)
                asked["entries"].append(stopwatch.seconds("FROM ledger.entries"))
                stopwatch.reset()
                await connection.fetchval("SELECT 1")
                asked["round trip"].append(stopwatch.seconds())
                stopwatch.reset()
                await reports.balance(customer(1 + random.randrange(loaded["customers"])), None)
                asked["balance"].append(stopwatch.seconds())
            for name, seconds in asked.items():
                times[name].append(Spread.of(seconds).median * 1_000)
        statements = stopwatch.by_statement()
    trip = Spread.of(times["round trip"])
    detail = {
        "briefly": f"{history_of(loaded)}; a round trip takes {trip.median:.3g} ms",
        **loaded,
        "entries_of_the_customer_listed": HEAVY_ENTRIES,
        "rows": PAGE_ROWS,
        "round_trip_p50_ms": trip.as_json(),
        "statements_of_a_balance_ms": statements,
    }
    parts = {"last 50 entries": Spread.of(times["entries"]), "GetBalance": Spread.of(times["balance"])}
    return Figure(parts, detail)


def history_of(loaded: Mapping[str, Any]) -> str:
    return f"{loaded['entries']:,} entries of {loaded['customers']:,} customers"


@asynccontextmanager
async def _timed_reports(database: Database) -> AsyncIterator[tuple[Reports, Stopwatch, TimedConnection]]:
    """The Ledger's reads, run in this process, and a connection for other queries."""
    stopwatch = Stopwatch()
    pool = await open_pool(database.ledger_url, size=2)
    try:
        clock = SystemClock()
        ids = Ids(clock)
        timed = TimedPool(pool, stopwatch)
        store = PostgresStore(timed, wall=clock, ids=ids)
        async with timed.acquire() as connection:
            settlement = Settlement(store=store, ids=ids, relay=CountingRelay())
            yield Reports(store=store, clock=clock, settlement=settlement), stopwatch, connection
    finally:
        pool.terminate()
