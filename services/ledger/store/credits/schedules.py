# SPDX-License-Identifier: Apache-2.0
"""Reads grant schedules with the seats they count and their progress."""

from services.ledger.domain.credits.due import ScheduleProgress
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ScheduleId
from services.ledger.domain.credits.proration import SeatChange, Seats
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import schedule_from_row

SCHEDULE_COLUMNS = """
    s.schedule_id, s.contract_id, s.subscription_id, s.product_id, s.credit_type_id, s.unit_amount_micros,
    s.frequency, s.interval_count, s.anchor_time, c.start_time, least(c.end_time, s.end_time) AS end_time, s.priority,
    s.prorates_increases, s.period_proration, s.commit_duration, s.scope_product_ids, s.rollover, s.editions,
    s.next_index, s.latest_grant_id, s.allocation, s.is_free, s.charge_time
"""


async def progress_of(
    connection: Connection,
    customer_id: CustomerId,
    credit_type_id: CreditTypeId,
) -> dict[ScheduleId, ScheduleProgress]:
    """Return the schedules that grant shared credits into one pool, each with its seats over time."""
    rows = await connection.fetch(
        f"SELECT {SCHEDULE_COLUMNS} FROM ledger.grant_schedules s JOIN ledger.contracts c USING"
        " (customer_id, contract_id) WHERE s.customer_id = $1 AND s.credit_type_id = $2"
        " AND s.allocation = 'POOLED' ORDER BY s.schedule_id",
        customer_id,
        credit_type_id,
    )
    seats = {
        subscription_id: await seats_of(connection, customer_id, subscription_id)
        for subscription_id in sorted({row["subscription_id"] for row in rows if row["subscription_id"]})
    }
    return {
        ScheduleId(row["schedule_id"]): ScheduleProgress(
            schedule=schedule_from_row(row),
            seats=seats.get(row["subscription_id"]),
            next_index=row["next_index"],
            latest=row["latest_grant_id"],
        )
        for row in rows
    }


async def seats_of(connection: Connection, customer_id: CustomerId, subscription_id: str) -> Seats | None:
    """Return a subscription's seats over time; None if it is not known."""
    initial = await connection.fetchval(
        "SELECT initial_quantity FROM ledger.subscriptions WHERE customer_id = $1 AND subscription_id = $2",
        customer_id,
        subscription_id,
    )
    if initial is None:
        return None
    rows = await connection.fetch(
        "SELECT effective_time, sequence, seat_change_id,"
        " CASE WHEN new_quantity IS NULL THEN quantity_delta ELSE 0 END AS quantity_delta, new_quantity, accept_time"
        " FROM ledger.seat_changes"
        " WHERE customer_id = $1 AND subscription_id = $2 ORDER BY effective_time, sequence",
        customer_id,
        subscription_id,
    )
    return Seats(initial, tuple(SeatChange(*row) for row in rows))


async def credit_types_of_subscription(
    connection: Connection, customer_id: CustomerId, subscription_id: str
) -> list[CreditTypeId]:
    """Return the credit types of the pools that a subscription's seats bring credits to, in the order of locking."""
    rows = await connection.fetch(
        "SELECT DISTINCT credit_type_id FROM ledger.grant_schedules"
        " WHERE customer_id = $1 AND subscription_id = $2 ORDER BY credit_type_id",
        customer_id,
        subscription_id,
    )
    return [CreditTypeId(row["credit_type_id"]) for row in rows]
