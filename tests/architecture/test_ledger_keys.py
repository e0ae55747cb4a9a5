# SPDX-License-Identifier: Apache-2.0
"""Every table of the Ledger's schema suits a database that is sharded by customer (Citus)."""

import asyncpg
import pytest

from deploy.local import database
from tests.support.postgres import Databases

# Small tables that every shard holds in full: names of customers, copies of the catalog, infrastructure.
REFERENCE_TABLES = {
    *(
        "customer_aliases",
        "rate_cards",
        "rates",
        "products",
        "metrics",
        "watches",
        "more_watches",
        "watch_sweeps",
    ),
    *("alembic_version", "sandbox_clock", "epochs", "request_slots", "chores"),
    # Of no customer yet: distributed by the name that one will have.
    "unattached_events",
    # Jobs over all customers, and their sums.
    "rerate_jobs",
    "rerate_credits",
    # Of copies, which may belong to no customer.
    "copy_repairs",
    # Records of writes, some of which concern no customer.
    "audit_events",
}
# Sweepers search all customers for due or old rows, so they may query all shards; code that answers a caller may not.
SWEEP_INDEXES = {"pools_due_idx", "slots_due_idx", "outbox_sent_idx"}

KEYS_NOT_LED_BY_CUSTOMER = """
    SELECT t.relname AS table, i.relname AS key
    FROM pg_index x
    JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_class t ON t.oid = x.indrelid
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]
    WHERE t.relnamespace = 'ledger'::regnamespace AND a.attname IS DISTINCT FROM 'customer_id'
    UNION ALL
    SELECT t.relname, c.conname
    FROM pg_constraint c
    JOIN pg_class t ON t.oid = c.conrelid
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]
    WHERE t.relnamespace = 'ledger'::regnamespace AND c.contype = 'f' AND a.attname IS DISTINCT FROM 'customer_id'
    UNION ALL
    SELECT t.relname, 'no primary key'
    FROM pg_class t
    WHERE t.relnamespace = 'ledger'::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition
      AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = t.oid AND x.indisprimary)
"""

WHAT_SHARDS_CANNOT_HAVE = """
    SELECT relname AS name, 'sequence' AS kind FROM pg_class
    WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'S'
    UNION ALL
    SELECT t.tgname, 'trigger' FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'ledger'::regnamespace AND NOT t.tgisinternal
"""


async def _keys_without_customer(databases: Databases) -> list[str]:
    connection = await database.connect(databases.admin_url)
    try:
        rows = await connection.fetch(KEYS_NOT_LED_BY_CUSTOMER)
    finally:
        await connection.close()
    led_by_others = [row for row in rows if row["table"] not in REFERENCE_TABLES]
    return [f"{row['table']}: {row['key']}" for row in led_by_others if row["key"] not in SWEEP_INDEXES]


async def _unfit(databases: Databases) -> list[str]:
    connection = await database.connect(databases.admin_url)
    try:
        return [f"{row['kind']} {row['name']}" for row in await connection.fetch(WHAT_SHARDS_CANNOT_HAVE)]
    finally:
        await connection.close()


async def _as_owner(databases: Databases, *statements: str) -> None:
    connection: asyncpg.Connection[asyncpg.Record] = await database.connect(databases.owner_url("ledger"))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_every_key_of_the_ledger_begins_with_the_customer(databases: Databases) -> None:
    assert await _keys_without_customer(databases) == []


async def test_the_ledger_has_neither_sequences_nor_triggers(databases: Databases) -> None:
    assert await _unfit(databases) == []


@pytest.mark.parametrize(
    ("statements", "caught"),
    [
        (["CREATE TABLE ledger.x (grant_id text PRIMARY KEY, customer_id text)"], "x: x_pkey"),
        (
            [
                "CREATE TABLE ledger.x (customer_id text, grant_id text, PRIMARY KEY (customer_id, grant_id))",
                "CREATE INDEX x_by_grant ON ledger.x (grant_id, customer_id)",
            ],
            "x: x_by_grant",
        ),
        (
            [
                "CREATE TABLE ledger.x (customer_id text, n int, UNIQUE (customer_id, n), PRIMARY KEY (customer_id))",
                "CREATE TABLE ledger.y (customer_id text PRIMARY KEY, n int, "
                "FOREIGN KEY (n, customer_id) REFERENCES ledger.x (n, customer_id))",
            ],
            "y: y_n_customer_id_fkey",
        ),
        (["CREATE TABLE ledger.x (customer_id text)"], "x: no primary key"),
    ],
    ids=["primary key", "index", "foreign key to other order", "no key at all"],
)
async def test_a_key_that_begins_with_another_column_is_caught(
    databases: Databases, statements: list[str], caught: str
) -> None:
    await _as_owner(databases, *statements)

    assert caught in await _keys_without_customer(databases)


async def test_a_sequence_is_caught(databases: Databases) -> None:
    await _as_owner(databases, "CREATE SEQUENCE ledger.numbers")

    assert await _unfit(databases) == ["sequence numbers"]
