# SPDX-License-Identifier: Apache-2.0
"""The Ledger's migrations on full tables in use: no row is lost, and no writer waits long."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg
import pytest
from grpc import StatusCode

from deploy.local.database import SOURCE_ROOT
from tests.support.faults import fault
from tests.support.ledger import running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

FULL = "0003"
CUSTOMERS = 100
WRITERS = 6
# 0.1 s is the lock_timeout of a migration; the rest allows for a slow machine.
WAIT_SECONDS_MAX = 1.0

ROWS = (
    f"INSERT INTO ledger.customers SELECT 'cus_' || n, 1, false FROM generate_series(1, {CUSTOMERS}) n",
    "INSERT INTO ledger.pools SELECT customer_id, 'crt_ai', 1, 0, 0 FROM ledger.customers",
    """
    INSERT INTO ledger.requests SELECT customer_id, 'old-' || n, '', '{}', '2025-06-01'
        FROM ledger.customers, generate_series(1, {rows}) n
    """,
    """
    INSERT INTO ledger.outbox SELECT customer_id, 'ntc_' || n, 'CROSSING', '{}', '2025-06-01', 1, NULL, '2025-06-01',
        CASE WHEN n % 10 > 0 THEN '2025-06-01'::timestamptz END FROM ledger.customers, generate_series(1, 100) n
    """,
)
# The part of a debit's write by the previous version that the migrations affect: it has no slots.
A_WRITE_BEFORE = """
    WITH guard AS (
        UPDATE ledger.pools SET version = version + 1, sequence = sequence + 1
        WHERE customer_id = $1 AND credit_type_id = 'crt_ai' RETURNING customer_id, credit_type_id, sequence
    ), entry AS (
        INSERT INTO ledger.entries (customer_id, credit_type_id, sequence, kind, amount_micros, shortfall_micros,
            effective_time, create_time, cause_id)
        SELECT customer_id, credit_type_id, sequence, 'SHORTFALL', 0, 0, $3, $3, $2 FROM guard
    )
    INSERT INTO ledger.requests (customer_id, request_id, body_hash, answer, create_time)
    SELECT customer_id, $2, '', '{}', $3 FROM guard
"""
A_LOOK_BEFORE = """
    SELECT r.customer_id, r.request_id, r.body_hash, r.answer
    FROM unnest($1::text[], $2::text[]) AS q (customer_id, request_id)
    JOIN ledger.requests r USING (customer_id, request_id)
"""


@dataclass(slots=True)
class Traffic:
    """Writers of the previous version, and their writes. acknowledged: customer and request_id."""

    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    is_over: bool = False
    longest_wait_seconds: float = 0.0
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until_more(self) -> None:
        """Return when as many further writes are acknowledged as there are writers."""
        wanted = len(self.acknowledged) + WRITERS
        async with self.heard:
            await self.heard.wait_for(lambda: len(self.acknowledged) >= wanted)

    async def write(self, url: str, number: int) -> None:
        dice = random.Random(number)
        connection = await asyncpg.connect(url)
        try:
            while not self.is_over:
                name = f"cus_{dice.randint(1, CUSTOMERS)}", f"new-{number}-{dice.getrandbits(64):x}"
                await connection.execute(A_WRITE_BEFORE, *name, datetime.now(UTC))
                async with self.heard:
                    self.acknowledged.add(name)
                    self.heard.notify_all()
                twin = dice.choice(sorted(self.acknowledged)[:50])
                with pytest.raises(asyncpg.UniqueViolationError):
                    await connection.execute(A_WRITE_BEFORE, *twin, datetime.now(UTC))
                found = await connection.fetch(A_LOOK_BEFORE, [name[0]] * 2, [name[1], "never asked"])
                assert [row["request_id"] for row in found] == [name[1]]
        finally:
            await connection.close()

    async def watch(self, url: str) -> None:
        """Record the longest wait of any session except the migration for a table."""
        async with Sql.connected(url) as onlooker:
            while not self.is_over:
                waited = await onlooker.value(
                    "SELECT extract(epoch FROM max(clock_timestamp() - l.waitstart))::float FROM pg_locks l"
                    " JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND l.locktype = 'relation'"
                    " AND a.datname = current_database() AND a.application_name <> 'ledger-migrate'"
                )
                self.longest_wait_seconds = max(self.longest_wait_seconds, waited or 0.0)


async def _make_full(databases: Databases, *, rows: int) -> None:
    """Downgrade the Ledger's schema to the previous revision, and fill it with rows."""
    await databases.remake_schema("ledger")
    await databases.migrate("ledger", to=FULL)
    async with Sql.connected(databases.owner_url("ledger")) as sql:
        for statement in ROWS:
            await sql.execute(statement.replace("{rows}", str(rows)))
        await sql.execute("ANALYZE")


@asynccontextmanager
async def _traffic(databases: Databases) -> AsyncIterator[Traffic]:
    traffic = Traffic()
    async with asyncio.TaskGroup() as everybody:
        for number in range(WRITERS):
            everybody.create_task(traffic.write(databases.url("ledger"), number))
        everybody.create_task(traffic.watch(databases.admin_url))
        await traffic.until_more()
        yield traffic
        traffic.is_over = True


async def test_migrating_under_load_loses_nothing_and_blocks_nobody(databases: Databases) -> None:
    await _make_full(databases, rows=1_000)

    async with _traffic(databases) as traffic:
        await databases.migrate("ledger")
        await traffic.until_more()

    assert traffic.longest_wait_seconds < WAIT_SECONDS_MAX
    async with Sql.connected(databases.admin_url) as sql:
        stored = await sql.rows(
            "SELECT customer_id, request_id FROM ledger.requests WHERE request_id ~ '^new'"
        )
        assert sorted((row["customer_id"], row["request_id"]) for row in stored) == sorted(
            traffic.acknowledged
        )
        entries = await sql.rows("SELECT customer_id, cause_id FROM ledger.entries")
        assert sorted((row["customer_id"], row["cause_id"]) for row in entries) == sorted(
            traffic.acknowledged
        )
        assert await sql.value("SELECT count(*) FROM ledger.requests") == CUSTOMERS * 1_000 + len(stored)
        assert await sql.value("SELECT sum(sequence) FROM ledger.pools") == len(entries)


async def test_the_next_version_replays_responses_stored_by_the_previous_one(databases: Databases) -> None:
    await _make_full(databases, rows=10)
    async with _traffic(databases) as traffic:
        await databases.migrate("ledger")
        await traffic.until_more()

    asked = [("cus_1", "old-1"), *sorted(traffic.acknowledged)[:20], *sorted(traffic.acknowledged)[-20:]]
    async with running_ledger(databases, at=datetime.now(UTC)) as ledger:
        for customer, request_id in asked:
            with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
                await ledger.debit(1, customer=customer, request_id=request_id)
        with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND"):
            await ledger.debit(1, customer="cus_1", request_id="never-asked")


async def test_an_interrupted_migration_starts_again_with_the_slot_that_writers_use(
    databases: Databases,
) -> None:
    """It stops after its first step and starts again in another generation; writers keep the slot that it chose."""
    await _make_full(databases, rows=10)
    async with Sql.connected(databases.owner_url("ledger")) as sql:
        for slot in (0, 1, 2):
            await sql.execute(f"ALTER TABLE ledger.requests ADD COLUMN slot smallint NOT NULL DEFAULT {slot}")
            await sql.execute("CREATE INDEX requests_slot_key ON ledger.requests (slot)")
            await sql.execute(
                "ALTER TABLE ledger.requests ADD CONSTRAINT requests_slot_check CHECK (slot >= 0)"
            )

            await databases.migrate("ledger", to="0004")
            # Once more, as if it had been stopped after its last step.
            await sql.execute("UPDATE ledger.alembic_version SET version_num = '0003'")
            await databases.migrate("ledger", to="0004")

            await sql.execute(A_WRITE_BEFORE, "cus_1", "new-1", datetime.now(UTC))
            assert await sql.count(f"requests_{slot}") == CUSTOMERS * 10 + 1
            await _make_full(databases, rows=10)


IN_THE_WAY = re.compile(
    r"\b(CREATE (UNIQUE )?INDEX|SET NOT NULL|CHECK\b(?!.*NOT VALID)|UPDATE ledger|DELETE FROM)"
)


# Nobody writes to it yet.
NEW_TABLE = re.compile(r"CREATE TABLE .*?\n    \)\n", re.DOTALL)


def _blocking_lines(revision: str) -> list[str]:
    """Return the lines that would block writers for a time proportional to the table's size."""
    of_old_tables = NEW_TABLE.sub("", revision)
    return [line.strip() for line in of_old_tables.splitlines() if IN_THE_WAY.search(line)]


def test_no_later_revision_blocks_writers() -> None:
    revisions = sorted((SOURCE_ROOT / "services" / "ledger" / "migrations" / "versions").glob("*.py"))
    later = [file for file in revisions if file.name[:4] > FULL]

    assert len(later) >= 3
    assert {file.name: found for file in later if (found := _blocking_lines(file.read_text()))} == {}


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX holds_idx ON ledger.holds (expire_time)",
        "ALTER TABLE ledger.holds ALTER state SET NOT NULL",
        "ALTER TABLE ledger.holds ADD CONSTRAINT c CHECK (state <> 'LOST')",
        "UPDATE ledger.holds SET state = 'HELD'",
    ],
)
def test_a_revision_that_blocks_writers_is_caught(statement: str) -> None:
    assert _blocking_lines(f'    op.execute("{statement}")') != []
