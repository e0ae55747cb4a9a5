# SPDX-License-Identifier: Apache-2.0
"""Citus, which spreads the Ledger over several PostgreSQL servers by customer_id: what is different on it.

Citus runs any SQL about one customer that the statement names. It refuses much of what is about several at once: FOR
UPDATE, writes that join, correlated subqueries. So on Citus a statement about many customers is repeated for each of
them, with every table narrowed to the rows of the one. On plain PostgreSQL the same text runs once, unchanged.
Source: https://docs.citusdata.com (SQL support); tried with the version that deploy/citus/README.md names.
"""

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final

import asyncpg

# Tables that are not distributed by customer_id: copied to all workers, or on the coordinator only.
SHARED_TABLES: Final = frozenset(
    {
        *("products", "rate_cards", "rates", "epochs", "customer_aliases", "watches", "more_watches"),
        *(
            "audit_events",
            "chores",
            "copy_repairs",
            "dead_letters",
            "outbox",
            "request_slots",
            "rerate_credits",
        ),
        *("rerate_jobs", "sandbox_clock", "unattached_events", "watch_sweeps"),
    }
)
_IS_CITUS: Final = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
# A generic plan does not know the customer, so Citus refuses it. With one connection to each worker, all that a
# transaction reads of a customer is of one snapshot, as it is on plain PostgreSQL. Hiding shards from queries on
# pg_class would make asyncpg's question for the types of a statement's parameters take seconds. Workers get
# only those settings that are SET LOCAL in a transaction.
_SETTINGS: Final = """
    SET plan_cache_mode = force_custom_plan;
    SET citus.max_adaptive_executor_pool_size = 1;
    SET citus.multi_shard_modify_mode = 'sequential';
    SET citus.override_table_visibility = off;
    SET citus.propagate_set_commands = 'local'
"""
_READ: Final = re.compile(r"(?<!DELETE )\b(FROM|JOIN) ledger\.(\w+)(?: (?:AS )?([a-z]\w*))?")
_CHANGED: Final = re.compile(r"\b(?:UPDATE|DELETE FROM) ledger\.\w+ (?:AS )?([a-z]\w*)")
_BY_CUSTOMER: Final = re.compile(
    r"unnest\([^()]*\)\s+AS \w+ \(customer_id\b|customer_id = ANY \(\$1\)|unnest\([^()]*\) AS q\b"
)


class LedgerConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that knows whether its database is Citus, once `detect_citus` has asked.

    lock_timeout: how long a statement waits for a lock, as PostgreSQL writes it; known on Citus only.
    """

    __slots__ = ("is_citus", "lock_timeout")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.is_citus = False
        self.lock_timeout = ""

    async def limit_lock_waits(self, milliseconds: int) -> None:
        """Set how long statements of this session wait for a lock."""
        await self.execute(f"SET lock_timeout = {milliseconds}")
        self.lock_timeout = str(milliseconds)


async def detect_citus(connection: Any) -> None:
    """Ask a new connection whether its database is Citus, and set what Citus needs."""
    connection.is_citus = await connection.fetchval(_IS_CITUS)
    if connection.is_citus:
        await connection.execute(_SETTINGS)
        connection.lock_timeout = await connection.fetchval("SHOW lock_timeout")


@asynccontextmanager
async def transaction(connection: Any) -> AsyncIterator[None]:
    """Open a transaction in which no statement waits longer for a lock than the session allows, on workers too."""
    async with connection.transaction():
        if connection.is_citus:
            await connection.execute(f"SET LOCAL lock_timeout = '{connection.lock_timeout}'")
        yield


async def fetch_by_customer(connection: Any, statement: str, *arguments: Any) -> list[Any]:
    """Return the rows of a statement about many customers; on Citus those of each in turn, in the order of their ids.

    statement: names the customers in its first parameter, with `unnest(…) AS x (customer_id, …)` or `= ANY ($1)`. Other
    parameters of that unnest are columns beside it.
    """
    if not connection.is_citus:
        rows: list[Any] = await connection.fetch(statement, *arguments)
        return rows
    return [
        row
        for text, of_one in _by_customer(statement, arguments)
        for row in await connection.fetch(text, *of_one)
    ]


async def execute_by_customer(connection: Any, statement: str, *arguments: Any) -> list[str]:
    """Run a statement about many customers; returns its status, on Citus one for each. See fetch_by_customer."""
    if not connection.is_citus:
        return [await connection.execute(statement, *arguments)]
    return [await connection.execute(text, *of_one) for text, of_one in _by_customer(statement, arguments)]


def of_one_customer(connection: Any, statement: str, customer: str = "$1") -> str:
    """Return a statement about one customer; on Citus so that no table is read beyond its rows.

    customer: the parameter with the customer's id.
    """
    return narrowed(statement, customer) if connection.is_citus else statement


@cache
def narrowed(statement: str, customer: str) -> str:
    """Return the statement with each distributed table narrowed to the rows of one customer.

    A table that is changed gets a condition at the end of the statement, which must be that of its WHERE.
    """

    def read(found: re.Match[str]) -> str:
        word, table, alias = found.groups()
        if table in SHARED_TABLES:
            return found[0]
        return f"{word} (SELECT * FROM ledger.{table} WHERE customer_id = {customer}) AS {alias or table}"

    text = _READ.sub(read, statement)
    if changed := _CHANGED.search(text):
        condition, returning, columns = text.partition("RETURNING")
        text = f"{condition.rstrip()} AND {changed[1]}.customer_id = {customer} {returning}{columns}"
    return text


def _by_customer(statement: str, arguments: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """Return the statement for each customer and its arguments, the customer's id last if the statement needs it."""
    text = narrowed(statement, f"${len(arguments) + 1}")
    named = _BY_CUSTOMER.search(statement)
    assert named is not None, statement
    columns = sorted({int(number) - 1 for number in re.findall(r"\$(\d+)", named[0])})
    rows: Mapping[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in zip(*(arguments[column] for column in columns), strict=True):
        rows[row[0]].append(row)
    parts = []
    for customer_id, of_one in sorted(rows.items()):
        part = list(arguments)
        for column, values in zip(columns, zip(*of_one, strict=True), strict=True):
            part[column] = list(values)
        parts.append((text, part if text == statement else [*part, customer_id]))
    return parts
