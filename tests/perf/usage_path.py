# SPDX-License-Identifier: Apache-2.0
"""P15: the Ledger's write of usage events, and a plain insert of the same rows."""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg

from meshkit.clock import SystemClock
from meshkit.ids import Ids
from meshkit.quantity import Quantity, Ratio
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.credits.unit_of_work import AccountSelection, Change, NewEvent, PoolKey
from services.ledger.domain.gate.decision import Entitlement
from services.ledger.domain.rating.metric import Aggregation, Metric
from services.ledger.domain.rating.price import FlatPrice, Pricing
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.usage.event import EventResult, EventStatus, RecordEvent
from services.ledger.domain.usage.intake import Measured, charge
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.store import PostgresStore
from services.ledger.store.connection import open_pool
from services.ledger.store.credits.writing import write_changes
from services.ledger.store.usage.events import event_to_row
from tests.perf.database import Database
from tests.perf.stopwatch import Stopwatch, TimedConnection
from tests.perf.world import CALL_MICROS, CREDIT_TYPE, PRODUCT, UNITS_MICROS, USERS, yesterday
from tests.perf.write_path import ENTRY_COLUMNS, Accounts, Pair, entry_row, prepare_copy

EVENT_COLUMNS = (
    *("customer_id", "transaction_id", "body_hash", "event_type", "event_time", "receive_time"),
    *("properties", "status", "result"),
)
_ANCHOR = yesterday()
_METRIC = Metric(
    event_type="ai.assistant",
    aggregation=Aggregation.SUM,
    property="units",
    filters=(),
    group_keys=("user_id",),
)


class EventWriter:
    """Charges for events on accounts that it has read, and writes them like the Ledger."""

    def __init__(self, store: PostgresStore, connection: Any, inserts: Sequence[str]) -> None:
        self._store = store
        self._stopwatch = Stopwatch()
        self._connection = TimedConnection(connection, self._stopwatch)
        self._inserts = inserts

    async def read(self, names: Sequence[str]) -> Accounts:
        """Read the accounts of these customers, with the spend of all their users."""
        spent_by = {("user_id", user) for user in USERS}
        wanted = {
            key: AccountSelection(
                group_values=set(spent_by), prices=[_line(key).entitlement.price], pays_late=True
            )
            for key in [(CustomerId(name), CreditTypeId(CREDIT_TYPE)) for name in names]
        }
        at = datetime.now(UTC)
        readings = await self._store.run(lambda tx: tx.accounts.read_many(wanted, at=at))
        return {key: reading.account for key, reading in readings.items()}

    async def pair(self, accounts: Accounts, *, items: int) -> Pair:
        """Write events, spread over the accounts, then insert their rows once more.

        `accounts` are as written afterwards.
        """
        changes, events = _recorded(accounts, items)
        entries = [entry_row(change.key, entry) for change in changes for entry in change.after.entries]
        rows = [(event.key[0], *event_to_row(event)) for event in events if event.key is not None]

        self._stopwatch.reset()
        began = time.perf_counter()
        written = await write_changes(self._connection, changes, [], events, epoch=None)
        whole = time.perf_counter() - began
        write = self._stopwatch.seconds()
        self._stopwatch.reset()
        for insert, of_table in zip(self._inserts, (entries, rows), strict=True):
            await self._connection.execute(insert, *zip(*of_table, strict=True))
        insert_seconds = self._stopwatch.seconds()

        assert written == {change.key for change in changes}
        for change in changes:
            accounts[change.key] = change.after.as_saved(version=change.before.version + 1)
        return Pair(write=write, prepare=whole - write, insert=insert_seconds)


@asynccontextmanager
async def open_event_writer(database: Database) -> AsyncIterator[EventWriter]:
    """Both writes use one connection opened by the Ledger's code; the inserts go into copies with the same keys."""
    connection = await asyncpg.connect(database.admin_url)
    try:
        inserts = [
            await prepare_copy(connection, "entries", ENTRY_COLUMNS),
            await prepare_copy(connection, "usage_events", EVENT_COLUMNS),
        ]
    finally:
        await connection.close()
    clock = SystemClock()
    pool = await open_pool(database.ledger_url, size=2)
    try:
        store = PostgresStore(pool, wall=clock, ids=Ids(clock))
        async with pool.acquire() as acquired:
            yield EventWriter(store, acquired, inserts)
    finally:
        pool.terminate()


def _recorded(accounts: Accounts, items: int) -> tuple[list[Change], list[NewEvent]]:
    at = datetime.now(UTC)
    after = dict(accounts)
    events = []
    keys = list(accounts)
    for number in range(items):
        key = keys[number % len(keys)]
        event = RecordEvent(
            transaction_id=secrets.token_hex(16),
            fingerprint=secrets.token_bytes(32),
            customer=key[0],
            event_type=_METRIC.event_type,
            timestamp=at,
            properties={"units": "1", "user_id": USERS[number % len(USERS)]},
        )
        charged = charge(after[key], event, _line(key), at=at)
        assert not isinstance(charged, EventResult)
        after[key], line = charged
        result = EventResult(status=EventStatus.ACCEPTED, lines=(line,))
        events.append(NewEvent(key, event, result, at))
    used = list(dict.fromkeys(keys[number % len(keys)] for number in range(items)))
    return [Change(accounts[key], after[key]) for key in used], events


def _line(key: PoolKey) -> Measured:
    customer_id, credit_type_id = key
    product_id = ProductId(PRODUCT)
    price = MeteredPrice(
        meter_key=MeterKey("rat_usage", _ANCHOR),
        product_id=product_id,
        rate_id="rat_usage",
        pricing=Pricing(FlatPrice(Ratio(CALL_MICROS, UNITS_MICROS)), None),
    )
    return Measured(
        product=UsageProduct(product_id=product_id, metric=_METRIC),
        entitlement=Entitlement(
            contract_id=f"con_{customer_id.removeprefix('cus_')}",
            anchor=_ANCHOR,
            credit_type_id=credit_type_id,
            price=price,
        ),
        amount=Quantity(UNITS_MICROS),
    )
