# SPDX-License-Identifier: Apache-2.0
"""Reads the free credits that a customer's contracts were granted."""

from datetime import datetime
from typing import Final

from meshkit.quantity import Credits
from services.ledger.domain.credits.free_credits import FreeCredits
from services.ledger.domain.credits.schedule import GrantFrequency
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.store.connection import Connection, at_most_int64

# A grant lives at least as long as its period. That of a slot has the schedule's id, "#" and the slot's number.
_FREE_CREDITS: Final = f"""
    SELECT s.contract_id, s.frequency, s.interval_count, g.period_start,
        {at_most_int64("sum(g.granted_micros - g.taken_back_micros)")} AS granted_micros,
        {at_most_int64("sum(g.withheld_micros)")} AS withheld_micros
    FROM ledger.grants g JOIN ledger.grant_schedules s
        ON s.customer_id = g.customer_id AND s.schedule_id = split_part(g.schedule_id, '#', 1)
    WHERE g.customer_id = $1 AND g.credit_type_id = $2 AND g.withheld_micros IS NOT NULL AND g.expire_time > $3
    GROUP BY s.contract_id, s.frequency, s.interval_count, g.period_start
"""


async def free_credits(connection: Connection, key: PoolKey, *, since: datetime) -> tuple[FreeCredits, ...]:
    """Return the free credits of a pool that may count at `since` or later, by contract and start of period."""
    rows = await connection.fetch(_FREE_CREDITS, *key, since)
    return tuple(
        FreeCredits(
            contract_id=row["contract_id"],
            cadence=GrantFrequency[row["frequency"]].value.times(row["interval_count"]),
            period_start=row["period_start"],
            granted=Credits(row["granted_micros"]),
            withheld=Credits(row["withheld_micros"]),
        )
        for row in rows
    )
