# SPDX-License-Identifier: Apache-2.0
"""The Ledger's write path, called in this process, and the plain insert that it is compared with; P8's debits."""

import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from meshkit.clock import SystemClock
from meshkit.ids import Ids
from meshkit.quantity import Quantity, Ratio
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.credits.unit_of_work import (
    AccountSelection,
    Change,
    NewEvent,
    NewResponse,
    PoolKey,
)
from services.ledger.domain.gate import gate
from services.ledger.domain.gate.decision import Ask, Entitlement
from services.ledger.domain.rating.price import FlatPrice, Pricing
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.store import PostgresStore
from services.ledger.store.connection import open_pool
from services.ledger.store.credits.writing import write_changes
from tests.perf.database import Database
from tests.perf.stopwatch import Stopwatch, TimedConnection
from tests.perf.world import CALL_MICROS, CREDIT_TYPE, PRODUCT, UNITS_MICROS, USERS, yesterday

ENTRY_COLUMNS = (
    *("customer_id", "credit_type_id", "sequence", "kind", "grant_id", "amount_micros", "shortfall_micros"),
    *("effective_time", "create_time", "cause_id", "hold_id", "product_id", "group_values", "contract_id"),
    *("quantity_micros", "root_rate_id", "usage_period_start"),
)
_TYPES = """
    SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = ('perf.' || $1)::regclass
"""
_FOREIGN_KEYS = """
    SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint
    WHERE conrelid = ('ledger.' || $1)::regclass AND contype = 'f'
"""

_ANCHOR = yesterday()

Accounts = dict[PoolKey, Account]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Seconds of the Ledger's write in SQL and in Python before it, and of the plain insert in SQL."""

    write: float
    prepare: float
    insert: float


Row = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a workload writes at once. rows: of each of its tables, for the plain insert."""

    changes: Sequence[Change]
    answers: Sequence[NewResponse] = ()
    events: Sequence[NewEvent] = ()
    rows: Sequence[Sequence[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What is written. tables: those of the plain insert, with its columns. pays_late: like events.

    price_of: what usage of a pool costs. make: decides so many items on these accounts.
    """

    tables: Mapping[str, Sequence[str]]
    pays_late: bool
    price_of: Callable[[PoolKey], MeteredPrice]
    make: Callable[[Accounts, int], Made]


class Writer:
    """Decides items of a workload on accounts that it has read, and writes them like the Ledger."""

    def __init__(
        self, workload: Workload, store: PostgresStore, connection: Any, inserts: Sequence[str]
    ) -> None:
        self._workload = workload
        self._store = store
        self._stopwatch = Stopwatch()
        self._connection = TimedConnection(connection, self._stopwatch)
        self._inserts = inserts

    async def read(self, names: Sequence[str]) -> Accounts:
        """Read the accounts of these customers, with the spend of all their users."""
        spent_by = {("user_id", user) for user in USERS}
        wanted = {
            key: AccountSelection(
                group_values=set(spent_by),
                prices=[self._workload.price_of(key)],
                pays_late=self._workload.pays_late,
            )
            for key in [(CustomerId(name), CreditTypeId(CREDIT_TYPE)) for name in names]
        }
        at = datetime.now(UTC)
        readings = await self._store.run(lambda tx: tx.accounts.read_many(wanted, at=at))
        return {key: reading.account for key, reading in readings.items()}

    async def pair(self, accounts: Accounts, *, items: int) -> Pair:
        """Write items, spread over the accounts, then insert their rows once more.

        `accounts` are as written afterwards.
        """
        made = self._workload.make(accounts, items)

        self._stopwatch.reset()
        began = time.perf_counter()
        written = await write_changes(self._connection, made.changes, made.answers, made.events, epoch=None)
        whole = time.perf_counter() - began
        write = self._stopwatch.seconds()
        self._stopwatch.reset()
        for insert, rows in zip(self._inserts, made.rows, strict=True):
            await self._connection.execute(insert, *zip(*rows, strict=True))
        inserted = self._stopwatch.seconds()

        assert written == {change.key for change in made.changes}
        for change in made.changes:
            accounts[change.key] = change.after.as_saved(version=change.before.version + 1)
        return Pair(write=write, prepare=whole - write, insert=inserted)


@asynccontextmanager
async def open_writer(database: Database, workload: Workload) -> AsyncIterator[Writer]:
    """Both writes use one connection opened by the Ledger's code; the inserts go into copies with the same keys."""
    connection = await asyncpg.connect(database.admin_url)
    try:
        inserts = [
            await _prepare_copy(connection, table, columns) for table, columns in workload.tables.items()
        ]
    finally:
        await connection.close()
    clock = SystemClock()
    pool = await open_pool(database.ledger_url, size=2)
    try:
        store = PostgresStore(pool, wall=clock, ids=Ids(clock))
        async with pool.acquire() as acquired:
            yield Writer(workload, store, acquired, inserts)
    finally:
        pool.terminate()


async def _prepare_copy(connection: Any, table: str, columns: Sequence[str]) -> str:
    """Make an empty copy of a table of the Ledger, keys included; returns the statement that fills these columns."""
    await connection.execute(f"CREATE TABLE perf.{table} (LIKE ledger.{table} INCLUDING ALL)")
    for key in await connection.fetch(_FOREIGN_KEYS, table):
        await connection.execute(f"ALTER TABLE perf.{table} ADD {key['definition']}")
    await connection.execute("GRANT USAGE ON SCHEMA perf TO PUBLIC")
    await connection.execute(f"GRANT INSERT ON perf.{table} TO PUBLIC")
    types = {row["attname"]: row["format_type"] for row in await connection.fetch(_TYPES, table)}
    arrays = ", ".join(f"${number}::{types[column]}[]" for number, column in enumerate(columns, start=1))
    return f"INSERT INTO perf.{table} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"


def _debited(accounts: Accounts, items: int) -> Made:
    at = datetime.now(UTC)
    after = dict(accounts)
    answers = []
    keys = list(accounts)
    for number in range(items):
        key = keys[number % len(keys)]
        request_id = secrets.token_hex(16)
        user = USERS[number % len(USERS)]
        after[key], answer = gate.debit(after[key], _ask(key, user), cause_id=request_id, at=at)
        assert answer.reason is None
        answers.append(NewResponse(key, request_id, os.urandom(32), answer, at, "gate"))
    changes = [Change(accounts[key], after[key]) for key in keys]
    return Made(changes=changes, answers=answers, rows=[entry_rows(changes)])


def _ask(key: PoolKey, user: str) -> Ask:
    customer_id, credit_type_id = key
    entitlement = Entitlement(
        contract_id=f"con_{customer_id.removeprefix('cus_')}",
        anchor=_ANCHOR,
        credit_type_id=credit_type_id,
        price=MeteredPrice(
            meter_key=MeterKey("rat_1", _ANCHOR),
            product_id=ProductId(PRODUCT),
            rate_id="rat_1",
            pricing=Pricing(FlatPrice(Ratio(CALL_MICROS, UNITS_MICROS)), None),
        ),
    )
    return Ask(
        product_id=ProductId(PRODUCT),
        entitlement=entitlement,
        amount=Quantity(UNITS_MICROS),
        group_values={"user_id": user},
        counted_group_values={"user_id": user},
    )


def entry_rows(changes: Sequence[Change]) -> list[Row]:
    """In the order of ENTRY_COLUMNS."""
    return [_entry_row(change.key, entry) for change in changes for entry in change.after.entries]


def _entry_row(key: PoolKey, entry: Entry) -> Row:
    assert entry.usage is not None
    meter_key = entry.usage.meter_key
    assert meter_key is not None
    return (
        *key,
        entry.sequence,
        entry.kind.value,
        entry.grant_id,
        entry.amount.micros,
        entry.shortfall.micros,
        entry.effective_time,
        entry.create_time,
        entry.cause_id,
        entry.usage.hold_id,
        entry.usage.product_id,
        dict(entry.usage.group_values),
        entry.usage.contract_id,
        entry.usage.quantity.micros,
        meter_key.root_rate_id,
        meter_key.period_start,
    )


DEBIT_WRITES = Workload(
    tables={"entries": ENTRY_COLUMNS},
    pays_late=False,
    price_of=lambda key: _ask(key, "").entitlement.price,
    make=_debited,
)
