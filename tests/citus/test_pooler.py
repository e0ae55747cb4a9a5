# SPDX-License-Identifier: Apache-2.0
"""A pooler before the coordinator: refused, because Citus needs settings of its sessions."""

import os
from pathlib import Path

import pytest

from deploy.citus import cluster
from meshkit.database_url import role_of
from meshkit.poolers import PoolerUnusable
from services.ledger.store.connection import open_pool
from tests.support.ledger_sql import Sql
from tests.support.pgbouncer import pgbouncer, pooled
from tests.support.postgres import CITUS_URL, Databases

pytestmark = pytest.mark.skipif(CITUS_URL not in os.environ, reason=cluster.HOW_TO_GET_CITUS)

LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


async def test_a_pooler_before_the_coordinator_is_refused_in_one_line(
    databases: Databases, tmp_path: Path
) -> None:
    role = role_of(databases.url("ledger"))
    async with Sql.connected(databases.admin_url) as sql:
        for name in LIMITS:
            await sql.execute(f'ALTER ROLE "{role}" IN DATABASE "{databases.name}" SET {name} = \'60s\'')
    async with pooled(databases, tmp_path, pgbouncer()) as reached:
        pool = await open_pool(reached.url("ledger"), size=1)
        try:
            with pytest.raises(PoolerUnusable, match="connect the Ledger to the coordinator itself"):
                await pool.fetchval("SELECT 1")
        finally:
            await pool.close()
