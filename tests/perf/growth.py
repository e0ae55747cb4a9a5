# SPDX-License-Identifier: Apache-2.0
"""What a long history and many grants cost: P10, P11 and P12."""

import random
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from meshkit.clock import SystemClock
from meshkit.ids import TimeOrderedIds
from meshkit.page import Page
from services.ledger.domain.grant import CreditTypeId
from services.ledger.operations.reporting import Reporting
from services.ledger.store import PostgresStore
from services.ledger.store.connection import open_pool
from tests.perf.bench import IN_FLIGHT, Bench, by_round, highest, holds, raw
from tests.perf.database import Database
from tests.perf.goals import Figure, Spread
from tests.perf.load import Kind, interleaved
from tests.perf.load_entries import History, load
from tests.perf.world import CREDIT_TYPE, customer, customers

# Behind the hundred thousands.
HEAVY = customer(10**9)
HEAVY_ENTRIES = 20_000
PAGE_ROWS = 50
ASKED_PER_ROUND = 400
FEW_GRANTS, MANY_GRANTS = 10, 1_000


async def long_history(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P10 and P12, on one and the same long history."""
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
    """P10: the same calls for as many customers, with the history behind them and without one."""
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
            # Once each, so that both have seen all their customers.
            await interleaved({name: series[name] for name in ("debit 64 empty", "debit 64 full")}, rounds=1)
            runs = await interleaved(series, rounds=scale.rounds)
            found = await full.stubs.verify()
    ratios = {
        name: by_round(
            lambda full, empty: full.p50_ms / empty.p50_ms, runs[f"{name} full"], runs[f"{name} empty"]
        )
        for name in ("authorize", "debit", "debit 64")
    }
    detail = {
        **loaded,
        "customers_asked": scale.spread,
        "p50_ratio": {name: spread.as_json() for name, spread in ratios.items()},
        "series": raw(runs),
        "audit": {"is_consistent": found.is_consistent, "entries": found.entries, "pools": found.pools},
    }
    return Figure({"": highest(ratios.values())}, detail, holds=found.is_consistent)


async def many_grants(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P11: time per call, 64 in flight on one pool, with 1,000 active grants against 10."""
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
            runs = await interleaved(series, rounds=bench.scale.rounds)
            audit = await shop.audit([run for one in runs.values() for run in one])
    cost = {
        kind.value: by_round(
            lambda few, many: few.calls_per_second / many.calls_per_second,
            *(runs[f"{kind.value} few"], runs[f"{kind.value} many"]),
        )
        for kind in (Kind.AUTHORIZE, Kind.DEBIT)
    }
    detail = {
        "grants": {"few": FEW_GRANTS, "many": MANY_GRANTS},
        "cost_ratio": {name: spread.as_json() for name, spread in cost.items()},
        "series": raw(runs),
        "audit": audit,
    }
    return {"P11": Figure({"": highest(cost.values())}, detail, holds=holds(audit))}


async def _in_sql(bench: Bench, long: Database, loaded: Mapping[str, Any]) -> Figure:
    """P12: the time that the statements of one question take, as the one who sends them sees it."""
    heavy = History(customers=1, entries=HEAVY_ENTRIES, first=10**9)
    await load(long.admin_url, heavy)
    async with _timed_reporting(long) as (reporting, clock):
        credit_type_id = CreditTypeId(CREDIT_TYPE)
        page = Page(size=PAGE_ROWS, after=None)
        entries, balance, statements = [], [], {}
        for _ in range(bench.scale.rounds):
            listed, told, trips = [], [], []
            for _ in range(ASKED_PER_ROUND):
                clock.forget()
                await reporting.entries(HEAVY, credit_type_id, None, page)
                listed.append(clock.milliseconds("ledger.entries"))
                clock.forget()
                await reporting.balance(customer(1 + random.randrange(loaded["customers"])), None)
                told.append(clock.milliseconds())
                statements = clock.by_statement()
                trips.append(await clock.round_trip())
            entries.append(_median(listed))
            balance.append(_median(told))
    detail = {
        **loaded,
        "entries_of_the_customer_listed": HEAVY_ENTRIES,
        "rows": PAGE_ROWS,
        "round_trip_p50_ms": _median(trips),
        "statements_of_a_balance_ms": statements,
    }
    return Figure({"last 50 entries": Spread.of(entries), "GetBalance": Spread.of(balance)}, detail)


class Stopwatch:
    """What the statements took that went through it since it forgot the earlier ones."""

    def __init__(self) -> None:
        self._took: list[tuple[str, float]] = []
        self.pool: Any = None

    def forget(self) -> None:
        self._took.clear()

    def add(self, statement: str, seconds: float) -> None:
        self._took.append((statement, seconds))

    def milliseconds(self, about: str = "") -> float:
        """The sum of all whose text has `about` in it."""
        return sum(seconds for statement, seconds in self._took if about in statement) * 1_000

    def by_statement(self) -> dict[str, float]:
        return {" ".join(text.split())[:80]: round(seconds * 1_000, 3) for text, seconds in self._took}

    async def round_trip(self) -> float:
        """What a statement takes that does nothing: milliseconds."""
        async with self.pool.acquire() as connection:
            began = time.perf_counter()
            await connection.fetchval("SELECT 1")
            return (time.perf_counter() - began) * 1_000


class _TimedPool:
    """A pool whose connections time their statements."""

    def __init__(self, pool: Any, stopwatch: Stopwatch) -> None:
        self._pool = pool
        self._stopwatch = stopwatch

    @asynccontextmanager
    async def acquire(self, **how: Any) -> AsyncIterator["_TimedConnection"]:
        async with self._pool.acquire(**how) as connection:
            yield _TimedConnection(connection, self._stopwatch)


class _TimedConnection:
    """A connection that times what it is asked; whatever else is done with it is not."""

    def __init__(self, connection: Any, stopwatch: Stopwatch) -> None:
        self._connection = connection
        self._stopwatch = stopwatch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, statement: str, *arguments: object) -> Any:
        return await self._timed(self._connection.fetch, statement, *arguments)

    async def fetchrow(self, statement: str, *arguments: object) -> Any:
        return await self._timed(self._connection.fetchrow, statement, *arguments)

    async def fetchval(self, statement: str, *arguments: object) -> Any:
        return await self._timed(self._connection.fetchval, statement, *arguments)

    async def execute(self, statement: str, *arguments: object) -> Any:
        return await self._timed(self._connection.execute, statement, *arguments)

    async def _timed(self, ask: Any, statement: str, *arguments: object) -> Any:
        began = time.perf_counter()
        try:
            return await ask(statement, *arguments)
        finally:
            self._stopwatch.add(statement, time.perf_counter() - began)


@asynccontextmanager
async def _timed_reporting(database: Database) -> AsyncIterator[tuple[Reporting, Stopwatch]]:
    """The Ledger's own questions, asked from this process over connections of its own making."""
    pool = await open_pool(database.ledger_url, size=2)
    stopwatch = Stopwatch()
    stopwatch.pool = pool
    clock = SystemClock()
    ids = TimeOrderedIds(clock)
    try:
        store = PostgresStore(_TimedPool(pool, stopwatch), wall=clock, ids=ids)
        yield Reporting(store=store, clock=clock, ids=ids), stopwatch
    finally:
        pool.terminate()


def _median(times: Sequence[float]) -> float:
    return Spread.of(times).median
