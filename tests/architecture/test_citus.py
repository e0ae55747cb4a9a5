# SPDX-License-Identifier: Apache-2.0
"""Every table of the Ledger has its place on Citus, and the store knows it."""

import re

from deploy.citus.cluster import DISTRIBUTE
from services.ledger.store.citus import SHARED_TABLES
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

# Alembic's own, on the coordinator: the Ledger does not read it.
VERSIONS = "alembic_version"
_TABLES = """
    SELECT relname AS name, EXISTS (
        SELECT FROM pg_index x JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
        WHERE x.indrelid = c.oid AND x.indisprimary AND a.attname = 'customer_id'
    ) AS is_of_customer
    FROM pg_class c WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""


def _named(array: str) -> list[str]:
    """Return the names in an array of distribute.sql."""
    found = re.search(
        rf"{array} CONSTANT text\[\] := ARRAY\[(.*?)\]", DISTRIBUTE.read_text("utf-8"), re.DOTALL
    )
    assert found is not None
    return re.findall(r"'(\w+)'", found[1])


async def test_every_table_is_distributed_or_shared_and_not_both(databases: Databases) -> None:
    distributed = _named("distributed")
    async with Sql.connected(databases.admin_url) as sql:
        tables = {row["name"] for row in await sql.rows(_TABLES)} - {VERSIONS}

    assert len(distributed) == len(set(distributed))
    assert set(distributed) | SHARED_TABLES == tables
    assert not set(distributed) & SHARED_TABLES


async def test_only_tables_whose_key_begins_with_the_customer_are_distributed(databases: Databases) -> None:
    async with Sql.connected(databases.admin_url) as sql:
        of_customer = {row["name"] for row in await sql.rows(_TABLES) if row["is_of_customer"]}

    assert set(_named("distributed")) <= of_customer
    # Their rows are of one customer, but relays and operators read those of all.
    assert of_customer - set(_named("distributed")) == {"outbox", "dead_letters"}


async def test_what_is_copied_to_all_workers_is_shared(databases: Databases) -> None:
    assert set(_named("copied")) <= SHARED_TABLES
