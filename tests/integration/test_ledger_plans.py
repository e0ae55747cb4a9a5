# SPDX-License-Identifier: Apache-2.0
"""The Ledger's queries each use an index, however large the tables are; checked against PostgreSQL's own plans."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from meshkit.clock import ManualClock
from meshkit.ids import Ids
from meshkit.page import Page
from meshkit.period import Period
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    CustomerId,
    Grant,
    GrantId,
    GrantKind,
    ProductId,
)
from services.ledger.domain.credits.unit_of_work import AccountSelection, Change, GuessedDenial, NewResponse
from services.ledger.domain.crossings.watch import Watch, WatchKind
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.in_flight import WHOLE_CUSTOMER, ConcurrencyCap
from services.ledger.domain.gate.spend_cap import SpendCapRemoval
from services.ledger.domain.retention import places_at
from services.ledger.domain.usage.commands import RecordedUsage, UsageName, UsageSource
from services.ledger.domain.usage.contract_usage import ContractUsageQuestion, UsageDetail
from services.ledger.domain.usage.event import EventStatus
from services.ledger.domain.usage.meter import MeterKey
from services.ledger.domain.usage.reads import EventFilter, UsageQuestion, UsageWindow
from services.ledger.domain.usage.rerate_job import EventPosition, MeterProgress, RerateScope
from services.ledger.domain.usage.summary import SummaryWindow
from services.ledger.store.audit import Audit
from services.ledger.store.connection import open_pool
from services.ledger.store.credits.denials import holding
from services.ledger.store.credits.free_credits import free_credits
from services.ledger.store.credits.grants import with_unread
from services.ledger.store.credits.reading import PoolLocks, read_accounts
from services.ledger.store.credits.reports import Reports
from services.ledger.store.credits.snapshot import read_snapshot
from services.ledger.store.credits.verification import verify
from services.ledger.store.credits.writing import write_changes
from services.ledger.store.gate.concurrency_caps import read_in_flight
from services.ledger.store.gate.shadow import Shadows
from services.ledger.store.responses import StoredResponses
from services.ledger.store.retention import Retention
from services.ledger.store.usage.contract_usage import ContractUsages
from services.ledger.store.usage.corrections import Corrections
from services.ledger.store.usage.history import UsageHistory
from services.ledger.store.usage.rerate_entries import RerateEntries
from services.ledger.store.usage.rerate_meters import RerateMeters
from services.ledger.store.usage.rollups import Rollups
from services.ledger.store.usage.sums import UsageTotals
from services.ledger.store.usage.uncharged_events import UnchargedEvents
from tests.support.postgres import Databases, PostgresServer, drop_database, make_database

ACME, AI = CustomerId("cus_0007"), CreditTypeId("crt_ai")
JUNE, JULY = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)
PAGE = Page(size=50, after=None)

# 200 customers with 200 entries, holds and stored responses each; some grants have only one entry.
ROWS = (
    "INSERT INTO ledger.customers SELECT 'cus_' || lpad(n::text, 4, '0'), 1, false FROM generate_series(1, 200) n",
    "INSERT INTO ledger.pools SELECT customer_id, 'crt_ai', 1, 200, 0 FROM ledger.customers",
    "INSERT INTO ledger.usage_positions SELECT customer_id, 'crt_ai', 0 FROM ledger.customers",
    """
    INSERT INTO ledger.entries SELECT customer_id, 'crt_ai', n, 'CAPTURE',
        CASE WHEN n % 10 = 0 THEN 'grt_' || n ELSE 'grt_1' END, -1, 0,
        '2025-06-01'::timestamptz + n * interval '1 hour', '2025-06-01', 'req_' || n, NULL, 'prd_1', '{}'
        FROM ledger.customers, generate_series(1, 200) n
    """,
    "UPDATE ledger.entries SET contract_id = 'con_1' WHERE customer_id = 'cus_0007'",
    """
    INSERT INTO ledger.grants SELECT customer_id, 'grt_' || n, 'crt_ai', 'TOP_UP', NULL, 1, '2025-06-01', NULL,
        '2025-06-01', 1000, 0, 0, 0, 0, 0, '{}', NULL, NULL, NULL, false
        FROM ledger.customers, generate_series(1, 20) n
    """,
    """
    INSERT INTO ledger.spends SELECT customer_id, 'crt_ai', 'user_id', 'user_' || n, 0, '2025-06-01', 0, '2025-06-01', 0
        FROM ledger.customers, generate_series(1, 20) n
    """,
    """
    INSERT INTO ledger.meters SELECT customer_id, 'crt_ai', 'rat_' || n, '2025-06-01', 'prd_1', 'rat_' || n, 0, 0
        FROM ledger.customers, generate_series(1, 20) n
    """,
    """
    INSERT INTO ledger.rerate_meters SELECT customer_id, 'crt_ai', 'rat_' || n, '2025-06-01', 'rrj_1'
        FROM ledger.customers, generate_series(1, 20) n
    """,
    """
    INSERT INTO ledger.contracts SELECT customer_id, 'con_' || n, 1, 'rcd_1', '2025-06-01', NULL
        FROM ledger.customers, generate_series(1, 20) n
    """,
    """
    INSERT INTO ledger.usage_by_hour SELECT customer_id, 'user_id', 'user_' || u,
        '2025-06-01'::timestamptz + n * interval '1 hour', 'prd_1', 'crt_ai', '', '{}', 0, 1, 0, 1
        FROM ledger.customers, generate_series(1, 10) u, generate_series(1, 20) n
    """,
    """
    INSERT INTO ledger.usage_by_hour SELECT customer_id, '', '', '2025-06-01'::timestamptz + n * interval '1 hour',
        'prd_1', 'crt_ai', '', '{}', 0, 10, 0, 10 FROM ledger.customers, generate_series(1, 20) n
    """,
    """
    INSERT INTO ledger.usage_by_period SELECT customer_id, 'user_id',
        '2025-01-01'::timestamptz + n * interval '1 month', 'user_' || u, 'prd_1', 'crt_ai', '', '{}', 0, u, 0, 20
        FROM ledger.customers, generate_series(1, 10) u, generate_series(0, 11) n
    """,
    """
    INSERT INTO ledger.usage_events SELECT customer_id, 'tx-' || n, '', 'ai_call',
        '2025-06-01'::timestamptz + n * interval '1 hour', '2025-06-30', '{}', 'NO_MATCH',
        '{"status": "NO_MATCH", "lines": []}' FROM ledger.customers, generate_series(1, 200) n
    """,
    """
    INSERT INTO ledger.usage_corrections (customer_id, source, source_id, number, kind, request_id, reason, actor,
        create_time) SELECT customer_id, 'EVENT', 'tx-' || n, 1, 'VOID', 'void-' || n, 'mistake', 'ops', '2025-06-30'
        FROM ledger.customers, generate_series(1, 100) n
    """,
    """
    INSERT INTO ledger.holds SELECT customer_id, 'hld_' || lpad(n::text, 4, '0'), 'crt_ai', 'prd_1', 'con_1',
        '2025-06-01', 1, 1, '{}', '{}', 'CAPTURED', '{}', '{}', 0, '2025-06-01', '2025-06-02'
        FROM ledger.customers, generate_series(1, 200) n
    """,
    """
    INSERT INTO ledger.requests SELECT customer_id, 'req_' || n, '', '{}', '2025-06-01', s
        FROM ledger.customers, generate_series(1, 200) n, generate_series(0, 2) s
    """,
    """
    INSERT INTO ledger.outbox SELECT customer_id, 'ntc_' || n, 'CROSSING', '{}', '2025-06-01', 1, NULL, '2025-06-01',
        CASE WHEN n < 50 THEN '2025-06-01'::timestamptz + n * interval '1 hour' END
        FROM ledger.customers, generate_series(1, 100) n
    """,
)
# Enough rows that PostgreSQL prefers an index even for the small tables.
MORE_CUSTOMERS = (
    "INSERT INTO ledger.customers SELECT 'cus_' || n, 1, false FROM generate_series(10001, 15000) n",
    "INSERT INTO ledger.customer_aliases SELECT 'alias of ' || customer_id, customer_id FROM ledger.customers",
    "INSERT INTO ledger.pools SELECT 'cus_' || n, 'crt_ai', 1, 0, 0 FROM generate_series(10001, 15000) n",
    "INSERT INTO ledger.usage_positions SELECT 'cus_' || n, 'crt_ai', 0 FROM generate_series(10001, 15000) n",
)

# Autovacuum would see what the tests write and undo, and change the plans whenever it runs.
STATISTICS_STAY = """
    DO $$ DECLARE name regclass; BEGIN
        FOR name IN SELECT oid FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r' LOOP
            EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = false)', name);
        END LOOP;
    END $$
"""

CLOSED_GRANTS = """
    INSERT INTO ledger.grants SELECT customer_id, 'grt_old_' || n, 'crt_ai', 'TOP_UP', NULL, 1, '2025-06-01', NULL,
        '2025-06-01', 1000, 1000, 0, 0, 0, 0, '{}', NULL, NULL, NULL, true
        FROM ledger.customers, generate_series(1, 200) n
"""

FREE_GRANTS = (
    """
    INSERT INTO ledger.grant_schedules (customer_id, schedule_id, contract_id, product_id, credit_type_id,
        unit_amount_micros, frequency, anchor_time, priority, prorates_increases, period_proration, commit_duration,
        scope_product_ids, next_index)
        SELECT customer_id, 'sch_' || n, 'con_' || n, 'prd_1', 'crt_ai', 1, 'DAILY', '2025-06-01', 1, true,
        'NONE', 1, '{}', 0 FROM ledger.customers, generate_series(1, 20) n
    """,
    """
    UPDATE ledger.grants SET schedule_id = 'sch_1', withheld_micros = 0,
        period_start = effective_time + substr(grant_id, 9)::integer * interval '1 day',
        expire_time = effective_time + (1 + substr(grant_id, 9)::integer) * interval '1 day'
    WHERE grant_id LIKE 'grt_old_%'
    """,
    "ANALYZE ledger.grants, ledger.grant_schedules",
)

DEBTS = (
    "INSERT INTO ledger.debt_entries SELECT customer_id, 'dbt_' || n, 'REFUND', 'grt_' || n, credit_type_id,"
    " 'rfd_' || n, 'USD', 1, 1, 0, 0, 0, NULL, now() FROM ledger.pools, generate_series(1, 2) n",
)

NAMED_SEATS = (
    "INSERT INTO ledger.slots SELECT customer_id, credit_type_id, 'sub_1', n, NULL, '{}', '{}'"
    " FROM ledger.pools, generate_series(1, 3) n",
    "INSERT INTO ledger.subscriptions (customer_id, subscription_id, contract_id, initial_quantity)"
    " SELECT customer_id, 'sub_1', contract_id, 3 FROM ledger.contracts ON CONFLICT DO NOTHING",
    "INSERT INTO ledger.seat_assignments SELECT customer_id, subscription_id, 'seat_' || n, '2025-06-01', NULL, n"
    " FROM ledger.subscriptions, generate_series(1, 3) n",
)


class Recording:
    """A connection that records its queries."""

    is_citus = False

    def __init__(self, connection: Any) -> None:
        self.asked: list[tuple[str, tuple[object, ...]]] = []
        self._connection = connection

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        async def ask(question: str, *arguments: object) -> Any:
            self.asked.append((question, arguments))
            return await getattr(self._connection, method)(question, *arguments)

        return ask

    async def plans(self) -> list[dict[str, Any]]:
        """Return the generic plans of the recorded queries, as the Ledger's sessions use them."""
        plans = []
        for question, arguments in self.asked:
            if question.startswith("SET "):  # has no plan
                continue
            prepared = await self._connection.prepare(question)
            # Integers are inlined, because the slot's number selects the partition; all partitions have the same plan.
            told = ", ".join(str(one) if isinstance(one, int) else "NULL" for one in arguments)
            told = f" ({told})" if arguments else ""
            explained = f"EXPLAIN (FORMAT JSON) EXECUTE {prepared.get_name()}{told}"
            plans.append(json.loads(await self._connection.fetchval(explained))[0]["Plan"])
        return plans


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


async def _reads(recording: Recording) -> set[str]:
    """Return each index that is read, and "all of …" for each large table that is read in full."""
    found = set()
    for plan in await recording.plans():
        for node in _nodes(plan):
            if "Index Name" in node:
                found.add(node["Index Name"])
            elif node["Node Type"] == "Seq Scan" and node["Relation Name"] not in (
                "epochs",
                "customers",
                "pools",
                "products",
            ):
                found.add(f"all of {node['Relation Name']}")
    return found


@pytest.fixture(scope="module")
def filled(postgres_server: PostgresServer) -> Iterator[Databases]:
    """ROWS, for all tests of this module; each test undoes what it writes."""
    made = asyncio.run(make_database(postgres_server))
    asyncio.run(_fill(made))
    yield made
    asyncio.run(drop_database(postgres_server, made))


async def _fill(databases: Databases) -> None:
    # Not by the Ledger's pool, whose statements may take only seconds.
    connection = await asyncpg.connect(databases.admin_url)
    try:
        for statement in (*ROWS, STATISTICS_STAY, "ANALYZE"):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def recording(filled: Databases) -> AsyncIterator[Recording]:
    # As the owner, who may ANALYZE.
    pool = await open_pool(filled.owner_url("ledger"), size=1)
    try:
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            yield Recording(connection)
            await transaction.rollback()
    finally:
        pool.terminate()


async def test_the_last_50_entries_are_read_from_the_end_of_the_pools_index(recording: Recording) -> None:
    await Reports(recording).entries(ACME, AI, None, PAGE)

    assert await _reads(recording) == {"entries_pkey"}
    (plan,) = await recording.plans()
    assert [node["Node Type"] for node in _nodes(plan)] == ["Limit", "Index Scan"]


async def test_open_holds_are_read_by_the_index_of_those_that_are_held(recording: Recording) -> None:
    await recording.execute(
        "UPDATE ledger.holds SET state = 'HELD' WHERE customer_id = 'cus_0007' AND hold_id > 'hld_0195'"
    )
    recording.asked.clear()
    cap = ConcurrencyCap(
        concurrency_cap_id="ccp_1", credit_type_id=AI, subject=WHOLE_CUSTOMER, holds_max=9, create_time=JUNE
    )

    found = await read_in_flight(recording, {(ACME, AI): {WHOLE_CUSTOMER: cap}})

    assert len(found[ACME, AI][WHOLE_CUSTOMER]) == 5
    assert await _reads(recording) == {"holds_held_idx"}


async def test_a_grants_entries_are_read_by_the_grants_index(recording: Recording) -> None:
    found = await Reports(recording).entries(ACME, AI, GrantId("grt_10"), PAGE)

    assert [entry.sequence for entry in found] == [10]
    assert await Reports(recording).entries(ACME, CreditTypeId("crt_x"), GrantId("grt_10"), PAGE) == []
    assert await _reads(recording) == {"entries_grant_idx"}
    assert [node["Node Type"] for node in _nodes((await recording.plans())[0])] == ["Limit", "Index Scan"]


async def test_free_credits_of_a_usage_period_are_read_without_those_of_earlier_ones(
    recording: Recording,
) -> None:
    for statement in (CLOSED_GRANTS, *FREE_GRANTS):
        await recording.execute(statement)
    recording.asked.clear()

    await free_credits(recording, (ACME, AI), since=JULY)

    assert await _reads(recording) == {"grants_free_idx", "grant_schedules_pkey"}
    (plan,) = await recording.plans()
    (scan,) = [node for node in _nodes(plan) if node.get("Index Name") == "grants_free_idx"]
    assert "expire_time" in scan["Index Cond"]


@pytest.mark.parametrize("window", list(SummaryWindow))
async def test_usage_is_added_up_from_the_usages_index(recording: Recording, window: SummaryWindow) -> None:
    await Reports(recording).usage(ACME, Period(JUNE, JULY), group_key="", window=window)

    assert await _reads(recording) == {"entries_usage_idx"}


async def test_a_page_of_usage_by_user_reads_only_the_users_that_it_shows(recording: Recording) -> None:
    for statement in (*MORE_CUSTOMERS, "ANALYZE ledger.customers"):
        await recording.execute(statement)
    recording.asked.clear()
    question = UsageQuestion(
        customer=ACME, span=Period(JUNE, JULY), window=UsageWindow.DAY, group_key="user_id"
    )

    found = await UsageTotals(recording).sums(question, ACME, Page(size=2, after=None))

    assert [(one.group_value, one.uses) for one in found] == [("user_1", 20), ("user_10", 20), ("user_2", 20)]
    assert await _reads(recording) == {"customers_pkey", "contracts_pkey", "usage_by_hour_pkey"}
    (plan,) = await recording.plans()
    (aggregate,) = [node for node in _nodes(plan) if node["Node Type"] == "Aggregate"]
    assert aggregate["Strategy"] == "Sorted"


async def test_all_customers_usage_is_read_customer_by_customer(recording: Recording) -> None:
    for statement in (*MORE_CUSTOMERS, "ANALYZE ledger.customers"):
        await recording.execute(statement)
    recording.asked.clear()
    question = UsageQuestion(customer=None, span=Period(JUNE, JULY), window=UsageWindow.SPAN)
    after = (ACME, "", JUNE.isoformat(), "prd_1", "crt_ai", "")

    found = await UsageTotals(recording).sums(question, None, Page(size=1, after=after))

    assert [one.customer_id for one in found] == ["cus_0008", "cus_0009"]
    assert await _reads(recording) == {"customers_pkey", "contracts_pkey", "usage_by_hour_pkey"}
    assert "Seq Scan" not in {node["Node Type"] for plan in await recording.plans() for node in _nodes(plan)}


async def test_top_spenders_are_read_from_one_usage_period(recording: Recording) -> None:
    found = await UsageTotals(recording).top_spenders(ACME, AI, "user_id", JUNE, None, spenders_max=1)

    assert [(one.group_value, one.credits) for one in found] == [("user_10", Credits(10))]
    assert await _reads(recording) == {"usage_by_period_pkey"}


async def test_whether_usage_is_added_up_is_found_by_key(recording: Recording) -> None:
    for statement in (*MORE_CUSTOMERS, "ANALYZE ledger.pools, ledger.usage_positions"):
        await recording.execute(statement)
    recording.asked.clear()

    assert await Rollups(recording).behind(ACME, ACME) == [(ACME, AI)]
    assert await _reads(recording) == {"pools_pkey", "usage_positions_pkey"}


async def test_new_usage_is_added_up_from_the_entries_after_the_position(recording: Recording) -> None:
    for statement in (*MORE_CUSTOMERS, "ANALYZE ledger.pools, ledger.usage_positions"):
        await recording.execute(statement)
    recording.asked.clear()

    assert await Rollups(recording).add_up([(ACME, AI)], entries_max=1_000) == {(ACME, AI)}
    assert not {read for read in await _reads(recording) if read.startswith("all of")}
    assert {"pools_pkey", "usage_positions_pkey", "entries_pkey"} <= await _reads(recording)


@pytest.mark.parametrize("detail", list(UsageDetail))
async def test_usage_for_invoices_is_read_by_sequence_from_where_it_was_read_before(
    recording: Recording, detail: UsageDetail
) -> None:
    question = ContractUsageQuestion(
        customer_id=ACME,
        contract_id="con_1",
        covered={AI: 190},
        covered_time=JUNE + timedelta(hours=181),
        period_time=JUNE,
        after={AI: 100},
        group_key="user_id",
        rows_max=10,
        positions_only=False,
    )
    usages = ContractUsages(recording)

    spans = await usages.spans(question)
    found = await usages.rows(question, spans, JUNE + timedelta(hours=196), detail)

    # Of the entries after 100, those that are dated in the 181st to the 195th hour.
    assert spans == {AI: (100, 200, 200)}
    assert sum(row.credits.micros for row in found) == 15
    assert await _reads(recording) - {"pools_pkey"} == {"entries_pkey", "grants_pkey"}
    (read,) = [
        node["Index Cond"]
        for plan in await recording.plans()
        for node in _nodes(plan)
        if node.get("Index Name") == "entries_pkey" and node["Alias"] != "o"
    ]
    assert "(sequence > p.first)" in read
    assert "(sequence <= p.last)" in read


async def test_where_usage_begins_is_found_by_its_time(recording: Recording) -> None:
    question = ContractUsageQuestion(
        customer_id=ACME,
        contract_id="con_1",
        covered={},
        covered_time=JUNE + timedelta(hours=181),
        period_time=JUNE,
        after={},
        group_key="user_id",
        rows_max=10,
        positions_only=True,
    )

    assert await ContractUsages(recording).starts(question) == {AI: 180}
    assert await _reads(recording) - {"pools_pkey"} == {"entries_usage_idx"}


@pytest.mark.parametrize(
    ("asked", "indexes"),
    [
        (EventFilter(), {"usage_events_time_idx"}),
        (EventFilter(start=JUNE, end=JULY), {"usage_events_time_idx"}),
        (EventFilter(status=EventStatus.NO_MATCH), {"usage_events_time_idx"}),
        (EventFilter(product_id=ProductId("prd_1")), {"usage_events_time_idx"}),
        (EventFilter(transaction_id="tx-7"), {"usage_events_pkey"}),
    ],
)
async def test_events_are_read_from_the_end_of_their_customers_index(
    recording: Recording, asked: EventFilter, indexes: set[str]
) -> None:
    page = Page(size=2, after=(JULY.isoformat(), ""))

    await UsageHistory(recording).events(ACME, asked, page)

    assert await _reads(recording) - {"entries_transaction_idx", "usage_corrections_pkey"} == indexes


async def test_an_entry_is_explained_by_keys(recording: Recording) -> None:
    origin = await UsageHistory(recording).origin(ACME, AI, 7)

    assert origin.credits == Credits(1)
    # The few customers may be read by their key or in full, as other tests have left the table's pages.
    assert await _reads(recording) - {"customers_pkey"} == {
        "entries_pkey",
        "entries_usage_idx",
        "contracts_pkey",
    }


REPORTED = """
    INSERT INTO ledger.entries (customer_id, credit_type_id, sequence, kind, grant_id, amount_micros, shortfall_micros,
        effective_time, create_time, cause_id, hold_id, product_id, group_values, contract_id, quantity_micros,
        root_rate_id, usage_period_start, transaction_id, corrects_sequence)
    SELECT customer_id, 'crt_ai', 1000 + n, CASE WHEN n > 200 THEN 'CORRECTION' ELSE 'CAPTURE' END, 'grt_1',
        CASE WHEN n > 200 THEN 1 ELSE -3 END, 0, '2025-06-20', '2025-06-20', 'cause-' || n,
        CASE WHEN n % 2 = 0 THEN 'hld_' || lpad((n % 200)::text, 4, '0') END, 'prd_1', '{}', 'con_1', 1, 'rat_1',
        '2025-06-01', CASE WHEN n % 2 = 1 THEN 'tx-' || n % 200 END, CASE WHEN n > 200 THEN 800 + n END
    FROM ledger.customers, generate_series(1, 250) n
"""
AS_RECORDED = RecordedUsage(event=None, corrections=0, pieces=None)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        (UsageName(UsageSource.EVENT, "tx-7"), "entries_transaction_idx"),
        (UsageName(UsageSource.HOLD, "hld_0008"), "entries_usage_idx"),
    ],
)
async def test_what_is_left_of_usage_is_read_by_its_index_and_that_of_corrections(
    recording: Recording, name: UsageName, index: str
) -> None:
    for statement in (REPORTED, "ANALYZE ledger.entries"):
        await recording.execute(statement)
    recording.asked.clear()

    (piece,) = await Corrections(recording).pieces_of((ACME, AI), name, AS_RECORDED)

    assert piece.cost == Credits(2)
    assert await _reads(recording) - {"holds_pkey", "entries_pkey"} == {index, "entries_corrects_idx"}


async def test_the_latest_usage_of_a_meter_is_read_from_the_end_of_the_pools_index(
    recording: Recording,
) -> None:
    for statement in (REPORTED, "ANALYZE ledger.entries"):
        await recording.execute(statement)
    name = UsageName(UsageSource.EVENT, "tx-199")
    (piece,) = await Corrections(recording).pieces_of((ACME, AI), name, AS_RECORDED)
    recording.asked.clear()

    found = await Corrections(recording).latest_of_meter(
        (ACME, AI), MeterKey("rat_1", JUNE), Credits(7), without=piece
    )

    assert [(one.entry.sequence, one.credits) for one in found[:2]] == [
        (1_200, Credits(3)),
        (1_198, Credits(3)),
    ]
    of_holds = {"holds_pkey", "entries_usage_idx"}
    assert await _reads(recording) == {"entries_pkey", "entries_corrects_idx"} | of_holds


async def test_a_page_of_a_rerating_reads_a_span_of_the_pools_index_and_whole_uses_by_theirs(
    recording: Recording,
) -> None:
    for statement in (REPORTED, "ANALYZE ledger.entries"):
        await recording.execute(statement)
    recording.asked.clear()
    meter_key = MeterKey("rat_1", JUNE)
    progress = MeterProgress(
        key=(ACME, AI),
        meter_key=meter_key,
        until=1_250,
        total=Quantity(200),
        done=1_000,
        position=Quantity(0),
    )

    before = await RerateEntries(recording).before((ACME, AI), meter_key, until=200)
    page = await RerateEntries(recording).page(progress, entries_max=4)

    assert (before, page.done, page.entries, [piece.cost.micros for piece in page.pieces]) == (
        0,
        1_004,
        4,
        [2, 2, 2, 2],
    )
    indexes = {"entries_pkey", "entries_transaction_idx", "entries_usage_idx", "entries_corrects_idx"}
    assert await _reads(recording) - {"holds_pkey"} == indexes


async def test_the_meters_of_a_rerate_job_are_read_by_their_keys(recording: Recording) -> None:
    meters = RerateMeters(recording)

    await meters.require_rated((ACME, AI), MeterKey("rat_x", JUNE))
    to_do = await meters.next_to_do()

    assert to_do is not None
    assert await _reads(recording) == {"rerate_meters_pkey"}


@pytest.mark.parametrize("customer_id", [None, ACME])
async def test_events_without_a_contract_are_read_from_their_index(
    recording: Recording, customer_id: CustomerId | None
) -> None:
    scope = RerateScope(
        product_id=ProductId("prd_1"), customer_id=customer_id, start_time=JUNE, end_time=JULY
    )

    await UnchargedEvents(recording).page(scope, "ai_call", after=EventPosition(), events_max=10)

    assert await _reads(recording) == {"usage_events_no_contract_idx"}


async def test_what_a_grant_paid_for_is_read_by_the_grants_index(recording: Recording) -> None:
    uses = await UsageHistory(recording).grant_uses(ACME, GrantId("grt_10"), PAGE)

    assert [one.entry.sequence for one in uses] == [10]
    assert await _reads(recording) == {"entries_grant_idx", "usage_events_pkey"}


async def test_a_balance_is_one_statement_that_finds_every_row_by_its_key_and_locks_none(
    recording: Recording,
) -> None:
    for statement in (CLOSED_GRANTS, *MORE_CUSTOMERS, "ANALYZE"):
        await recording.execute(statement)
    recording.asked.clear()

    (account,) = await read_snapshot(recording, ACME, None)

    (plan,) = await recording.plans()
    of_grants = {"grants_open_by_slot_idx", "grants_debt_idx"}
    indexes = {"customer_aliases_pkey", "customers_pkey", "pools_pkey"} | of_grants
    of_overage = {"contracts_pkey", "spends_pkey"}
    assert len(account.grants) == 20
    assert {node["Index Name"] for node in _nodes(plan) if "Index Name" in node} == indexes | of_overage
    assert not {node["Node Type"] for node in _nodes(plan)} & {"Seq Scan", "LockRows"}


async def test_issuing_and_voiding_read_one_grant_by_its_key(recording: Recording) -> None:
    grant_id = GrantId("grt_7")
    selections = {(ACME, AI): AccountSelection(only_grants=frozenset({grant_id}))}

    readings = await read_accounts(recording, selections, at=JUNE, locks=PoolLocks.WAIT)

    reads = await _reads(recording)
    assert list(readings[ACME, AI].account.grants) == [grant_id]
    assert {read for read in reads if "grants" in read} == {"grants_pkey"}


async def test_what_remains_in_the_other_grants_is_added_up_by_the_pools_index(recording: Recording) -> None:
    watch = Watch(
        alert_id="alr_1",
        version=1,
        kind=WatchKind.LOW_BALANCE,
        customer_id=ACME,
        credit_type_id=AI,
        threshold=Credits(1),
        rearm=Credits(1),
        group_key="",
        group_value="",
    )
    account = Account(customer_id=ACME, credit_type_id=AI, version=1, sequence=200, watches=(watch,))

    for statement in (CLOSED_GRANTS, "ANALYZE ledger.grants"):
        await recording.execute(statement)
    recording.asked.clear()

    counted = await with_unread(recording, account, at=JUNE)

    assert counted.unread == Credits(20_000)
    assert await _reads(recording) == {"grants_open_by_slot_idx"}


GROUPS = (
    "INSERT INTO ledger.cap_groups SELECT customer_id, 'cgr_1', 'Support', 'user_id', '2025-06-01'"
    " FROM ledger.customers LIMIT 500",
    "INSERT INTO ledger.cap_group_values SELECT customer_id, 'user_id', 'user_' || n, 'cgr_1'"
    " FROM ledger.cap_groups, generate_series(1, 20) n",
)


async def test_verifying_one_customer_reads_no_rows_of_others(recording: Recording) -> None:
    for statement in (*MORE_CUSTOMERS, *NAMED_SEATS, *DEBTS, *GROUPS, "ANALYZE"):
        await recording.execute(statement)
    recording.asked.clear()

    await verify(recording, ACME, holds_kept_from="hld_")

    assert not {read for read in await _reads(recording) if read.startswith("all of")}


async def test_old_rows_are_found_by_their_age(recording: Recording) -> None:
    retention = Retention(recording)

    holds = await retention.drop_holds(
        [ACME, CustomerId("cus_0008")], made_before=HoldId("hld_0011"), expired_before=JULY, rows_max=15
    )
    notices = await retention.drop_notices(sent_before=JULY, rows_max=20)

    assert (holds, notices) == (15, 20)
    assert await _reads(recording) == {"holds_pkey", "outbox_sent_idx", "outbox_pkey"}


SHADOW_DENIALS = (
    "INSERT INTO ledger.shadow_denials SELECT customer_id, date '2025-01-01' + n, 'crt_ai', 'SPEND_CAP_REACHED',"
    " 'cap_1', 'prd_1', 'user_id', 'user_' || n, 1, 1, '2025-06-01', '2025-06-01'"
    " FROM ledger.pools, generate_series(1, 100) n",
    "ANALYZE ledger.shadow_denials",
)


async def test_the_report_of_shadow_mode_is_read_and_dropped_by_customer_and_day(
    recording: Recording,
) -> None:
    for statement in SHADOW_DENIALS:
        await recording.execute(statement)
    recording.asked.clear()
    day = date(2025, 1, 11)

    of_one = await Shadows(recording).denials([ACME], day, day, PAGE)
    dropped = await Retention(recording).drop_shadow_denials([ACME], before=day, days_max=4)

    assert ([one.day for one in of_one], dropped) == ([day], 4)
    assert await _reads(recording) == {"shadow_denials_pkey"}


async def test_stored_responses_are_found_by_their_keys(recording: Recording) -> None:
    given = await StoredResponses(
        recording, Audit(recording, wall=ManualClock(JULY), ids=Ids(ManualClock(JULY)))
    ).find_many([(ACME, "req_1")])

    assert list(given) == [(ACME, "req_1")]
    assert await _reads(recording) == {"requests_0_pkey", "requests_1_pkey", "requests_2_pkey"}


async def test_the_gates_write_finds_responses_and_rows_by_key(recording: Recording) -> None:
    key = (ACME, AI)
    grant = Grant(
        grant_id=GrantId("grt_1"),
        kind=GrantKind.TOP_UP,
        product_id=None,
        priority=1,
        effective_time=JUNE,
        expire_time=None,
        create_time=JUNE,
        granted=Credits(1_000),
        cost_basis_micros=0,
        scope_product_ids=frozenset(),
    )
    before = Account(
        customer_id=ACME, credit_type_id=AI, version=1, sequence=200, grants={grant.grant_id: grant}
    )
    after = replace(before, changed_grants=(grant.grant_id,))
    answer = NewResponse(key, "req_new", b"", SpendCapRemoval("cap_1"), JULY, "gate")

    written = await write_changes(recording, [Change(before, after)], [answer], [], epoch=1)

    assert written == {key}
    reads = await _reads(recording)
    assert {"grants_pkey", f"requests_{places_at(JULY).earlier}_pkey"} <= reads
    assert not {read for read in reads if read.startswith("all of")}


async def test_denials_are_confirmed_by_the_keys_of_pools_and_responses(recording: Recording) -> None:
    denied, answered = (GuessedDenial((ACME, AI), 1, request_id) for request_id in ("req_new", "req_1"))

    assert await holding(recording, [denied, answered], epoch=1) == {denied}

    assert await _reads(recording) == {"pools_pkey", "requests_0_pkey", "requests_1_pkey", "requests_2_pkey"}
