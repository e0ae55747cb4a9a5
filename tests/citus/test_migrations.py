# SPDX-License-Identifier: Apache-2.0
"""An older schema that is spread over workers is migrated as on plain PostgreSQL, and then distributed again."""

import os

import pytest

from deploy.citus import cluster
from tests.support.ledger import CREDIT, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import CITUS_SHARDS, CITUS_URL, Databases

pytestmark = pytest.mark.skipif(CITUS_URL not in os.environ, reason=cluster.HOW_TO_GET_CITUS)

OLDER = "0042"
CUSTOMERS = 20
ROWS = (
    f"INSERT INTO ledger.customers (customer_id, version, is_suspended)"
    f" SELECT 'cus_' || n, 1, false FROM generate_series(1, {CUSTOMERS}) n",
    "INSERT INTO ledger.pools (customer_id, credit_type_id, version, sequence, shortfall_micros)"
    " SELECT customer_id, 'crt_ai', 1, 0, 0 FROM ledger.customers",
)
OF_COORDINATOR = """
    SELECT relname FROM pg_class c WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r' AND NOT relispartition
    AND NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = c.oid) ORDER BY relname
"""


async def test_a_distributed_older_schema_is_migrated_and_serves(databases: Databases) -> None:
    owner = databases.owner_url("ledger")
    async with Sql.connected(databases.admin_url) as sql:
        newest = await sql.rows(OF_COORDINATOR)
    await databases.remake_schema("ledger")
    await databases.migrate("ledger", to=OLDER)
    await cluster.distribute(owner, shards=CITUS_SHARDS)
    async with Sql.connected(owner) as sql:
        for statement in ROWS:
            await sql.execute(statement)

    await databases.migrate("ledger")
    await cluster.distribute(owner, shards=CITUS_SHARDS)

    async with running_ledger(databases) as ledger, Sql.connected(databases.admin_url) as sql:
        await ledger.sell_assistant()
        await ledger.sign_acme()
        assert (await ledger.debit(10)).debited_micros == 10 * CREDIT
        await ledger.assert_adds_up()
        assert await sql.count("pools") == CUSTOMERS + 1
        assert await sql.rows(OF_COORDINATOR) == newest
