# SPDX-License-Identifier: Apache-2.0
"""One series of numbers, whatever happens to the transactions that take them."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum
from random import Random

import asyncpg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.clock import ManualClock
from meshkit.ids import Ids
from services.contract.domain.invoice import InvoiceStatus
from services.contract.operations.billing.issuing import issue
from services.contract.store import PostgresStore, Transaction
from services.contract.tables import document_numbers, invoices
from tests.store.contract.builders import a_purchase_line, an_invoice, write_contract
from tests.support.catalog import JUNE
from tests.support.contract import day
from tests.support.postgres import Databases

TRANSACTIONS = 60
CONNECTIONS_MAX = 8  # as many as the engine has: none waits for another transaction's connection


class Fate(Enum):
    """How a transaction that issues invoices ends."""

    COMMITTED = "COMMITTED"
    ROLLED_BACK = "ROLLED_BACK"
    KILLED = "KILLED"


class Failed(Exception):
    """Rolls a transaction back after it has taken its numbers."""


@pytest.mark.parametrize("seed", range(4))
async def test_concurrent_and_killed_transactions_leave_no_gap_no_duplicate_and_no_earlier_date(
    store: PostgresStore, engine: AsyncEngine, databases: Databases, wall: ManualClock, seed: int
) -> None:
    chance = Random(seed)
    async with store.transaction() as tx:
        await write_contract(tx)
    tx_ids = Ids(wall)
    admin = await asyncpg.connect(databases.admin_url)
    room = asyncio.Semaphore(CONNECTIONS_MAX)
    killing = asyncio.Lock()  # one statement at a time on the connection
    fates = [chance.choice(list(Fate)) for _ in range(TRANSACTIONS)]

    async def transaction(number: int, fate: Fate, at: datetime, count: int) -> set[str]:
        """Issue `count` invoices at `at`, and end as `fate` says. Returns the ids of what was committed."""
        ids = [f"inv_{number:03d}_{n}" for n in range(count)]
        drafts = [
            an_invoice(
                a_purchase_line(10 * number + n), invoice_id=one, status=InvoiceStatus.DRAFT, issue_time=at
            )
            for n, one in enumerate(ids)
        ]
        try:
            async with room, engine.begin() as connection:
                tx = Transaction(connection, wall=wall, ids=tx_ids)
                for draft in drafts:
                    await tx.invoices.insert(draft)
                await issue(tx, drafts, at=at, ids=tx_ids)
                if fate is Fate.ROLLED_BACK:
                    raise Failed
                if fate is Fate.KILLED:
                    backend = await connection.execute(text("SELECT pg_backend_pid()"))
                    async with killing:
                        await admin.fetchval("SELECT pg_terminate_backend($1, 5000)", backend.scalar_one())
        except (Failed, DBAPIError):
            return set()
        return set(ids)

    committed = await asyncio.gather(
        *(
            transaction(number, fate, JUNE + timedelta(minutes=chance.randrange(60)), chance.randrange(1, 4))
            for number, fate in enumerate(fates)
        )
    )
    await admin.close()

    async with engine.connect() as connection:
        rows = (
            await connection.execute(
                select(
                    document_numbers.c.sequence, document_numbers.c.document_id, document_numbers.c.date
                ).order_by(document_numbers.c.sequence)
            )
        ).all()
        stored = (
            await connection.execute(
                select(invoices.c.invoice_id, invoices.c.number, invoices.c.finalize_time).order_by(
                    invoices.c.number
                )
            )
        ).all()
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    assert {row.document_id for row in rows} == set().union(*committed)
    assert [row.date for row in rows] == sorted(row.date for row in rows)
    assert [tuple(row) for row in stored] == [
        (row.document_id, f"{row.sequence:06d}", row.date) for row in rows
    ]
    assert len(rows) == sum(map(len, committed)) > 0
    assert set(fates) == set(Fate)


async def test_a_number_that_was_rolled_back_is_given_to_the_next_invoice(
    store: PostgresStore, wall: ManualClock
) -> None:
    draft = an_invoice(a_purchase_line(1), invoice_id="inv_1", status=InvoiceStatus.DRAFT)
    async with store.transaction() as tx:
        await write_contract(tx)
        await tx.invoices.insert(draft)

    with suppress(Failed):
        async with store.transaction() as tx:
            [lost] = await issue(tx, [draft], at=JUNE, ids=Ids(wall))
            raise Failed
    async with store.transaction() as tx:
        [kept] = await issue(tx, [draft], at=JUNE, ids=Ids(wall))

    assert lost.number == kept.number == "000001"


async def test_a_clock_that_lags_behind_gets_the_last_date_given(
    store: PostgresStore, wall: ManualClock
) -> None:
    first, second = (
        an_invoice(a_purchase_line(n), invoice_id=f"inv_{n}", status=InvoiceStatus.DRAFT) for n in (1, 2)
    )
    async with store.transaction() as tx:
        await write_contract(tx)
        await tx.invoices.insert(first)
        await tx.invoices.insert(second)

    async with store.transaction() as tx:
        await issue(tx, [first], at=day(6, 2), ids=Ids(wall))
    async with store.transaction() as tx:
        [late] = await issue(tx, [second], at=JUNE, ids=Ids(wall))

    assert (late.number, late.finalize_time) == ("000002", day(6, 2))
