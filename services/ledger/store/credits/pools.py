# SPDX-License-Identifier: Apache-2.0
"""Statements about many pools at once."""

from collections import defaultdict
from typing import Any, Final

from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection

# The pools whose keys are the first two arguments, by column.
POOLS: Final = "unnest($1::text[], $2::text[]) AS q (customer_id, credit_type_id)"


async def fetch_by_pool(
    connection: Connection, question: str, *arguments: object
) -> dict[PoolKey, list[Any]]:
    """Return the rows of a statement, which have customer_id and credit_type_id, by pool."""
    by_pool: dict[PoolKey, list[Any]] = defaultdict(list)
    for row in await fetch_by_customer(connection, question, *arguments):
        by_pool[row["customer_id"], row["credit_type_id"]].append(row)
    return by_pool
