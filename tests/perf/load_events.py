# SPDX-License-Identifier: Apache-2.0
"""Fills an empty Ledger with a long history of usage events: load_entries.py, and the events, meters and sums of it.

VerifyLedger finds no discrepancy in it. The Ledger's own code adds the usage up.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import asyncpg

from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.usage.event import EventLine, EventResult, EventStatus
from services.ledger.store.citus import LedgerConnection
from services.ledger.store.formats import EVENT_RESULT
from services.ledger.store.usage.rollups import Rollups
from tests.perf.load_entries import History, copy, load, rounds, text
from tests.perf.usage_path import EVENT_COLUMNS
from tests.perf.world import CALL_MICROS, CREDIT_TYPE, PRODUCT, RATE, UNITS_MICROS, customer

POOLS_AT_ONCE = 1_000
_METER_COLUMNS = (
    *("customer_id", "credit_type_id", "root_rate_id", "period_start", "product_id", "rate_id"),
    *("quantity_micros", "cost_micros"),
)


async def load_events(url: str, history: History) -> None:
    """Load a history of events into the database at `url`, which contains none of it yet and has the product."""
    history = replace(history, has_events=True)
    await load(url, history)
    connection = await asyncpg.connect(url, connection_class=LedgerConnection)
    try:
        await copy(connection, "usage_events", EVENT_COLUMNS, _events(history))
        await copy(connection, "meters", _METER_COLUMNS, _meters(history))
        numbers = range(history.first, history.first + history.customers)
        for first in numbers[::POOLS_AT_ONCE]:
            keys = [
                (CustomerId(customer(number)), CreditTypeId(CREDIT_TYPE))
                for number in numbers[first - history.first :][:POOLS_AT_ONCE]
            ]
            async with connection.transaction():
                await Rollups(connection).add_up(keys, entries_max=history.entries)
        for table in ("usage_events", "meters", "usage_by_hour", "usage_by_period", "usage_positions"):
            await connection.execute(f"VACUUM ANALYZE ledger.{table}")
    finally:
        await connection.close()


def _events(history: History) -> Iterator[str]:
    for one in rounds(history):
        if one.sequence > history.grants:
            at, result = text(one.at), json.dumps(EVENT_RESULT.encode(_result(one.sequence)))
            properties = json.dumps({"units": "1", "user_id": one.user})
            for number, owner in enumerate(one.owners):
                name = one.transaction_id(number)
                yield (
                    f"cus_{owner}\t{name}\t\\\\x{name}{name}\tai.assistant\t{at}\t{at}\t{properties}\tACCEPTED\t{result}\n"
                )


def _result(sequence: int) -> EventResult:
    line = EventLine(
        product_id=ProductId(PRODUCT),
        credit_type_id=CreditTypeId(CREDIT_TYPE),
        quantity=Quantity(UNITS_MICROS),
        credits=Credits(CALL_MICROS),
        shortfall=Credits(0),
        sequence=sequence,
    )
    return EventResult(status=EventStatus.ACCEPTED, lines=(line,))


def _meters(history: History) -> Iterator[str]:
    events: dict[tuple[str, datetime], int] = {}
    for one in rounds(history):
        if one.sequence > history.grants:
            events |= {(owner, one.period_start): one.position for owner in one.owners}
    for (owner, period), count in events.items():
        yield (
            f"cus_{owner}\t{CREDIT_TYPE}\t{RATE}\t{text(period)}\t{PRODUCT}\t{RATE}\t{count * UNITS_MICROS}"
            f"\t{count * CALL_MICROS}\n"
        )
