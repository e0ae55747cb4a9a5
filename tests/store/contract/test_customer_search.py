# SPDX-License-Identifier: Apache-2.0
"""The statement that searches customers uses the indexes that were built for it."""

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.contract.store.customer_search import found_by
from tests.support.postgres import Databases


async def test_a_search_reads_indexes_of_ids_aliases_and_words(
    engine: AsyncEngine, databases: Databases
) -> None:
    statement = found_by("Acme GmbH").compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
    connection = await asyncpg.connect(databases.url("contract"))
    try:
        # A test's tables are so small that reading them whole is cheaper.
        await connection.execute("SET enable_seqscan = off")
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {statement}"))
    finally:
        await connection.close()

    for index in ("customers_pkey", "customer_aliases_search_idx", "customers_words_idx"):
        assert index in plan, plan
    assert "Seq Scan" not in plan
