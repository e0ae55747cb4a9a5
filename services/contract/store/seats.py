# SPDX-License-Identifier: Apache-2.0
"""Statements about seat changes."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Row, case, func, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from services.contract.domain.commands import ListedSeatChange
from services.contract.domain.contract import Subscription
from services.contract.domain.ids import SeatChangeId, SubscriptionId
from services.contract.domain.seats.timeline import SeatChange
from services.contract.tables import seat_changes

CHANGE_COLUMNS: Final[tuple[Column[Any], ...]] = (
    seat_changes.c.seat_change_id,
    seat_changes.c.subscription_id,
    seat_changes.c.sequence,
    seat_changes.c.effective_time,
    seat_changes.c.quantity_delta,
    seat_changes.c.create_time,
    seat_changes.c.new_quantity,
)


class StoredSeats:
    """Seat changes are only added, under the lock of their contract."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert_change(self, change: SeatChange) -> None:
        await self._connection.execute(
            insert(seat_changes).values(
                seat_change_id=change.seat_change_id,
                subscription_id=change.subscription_id,
                sequence=change.sequence,
                effective_time=change.effective_time,
                quantity_delta=change.quantity_delta,
                create_time=change.create_time,
                new_quantity=change.new_quantity,
            )
        )

    async def listed_changes(self, subscription: Subscription, page: Page) -> list[ListedSeatChange]:
        """Return a page by effective_time, then in the order received, and one row more if there is one."""
        order = (seat_changes.c.effective_time, seat_changes.c.sequence)
        counted = (
            select(
                *CHANGE_COLUMNS,
                # Numbers the spans that each begin with an absolute count; 0 is the span before the first one.
                func.count(seat_changes.c.new_quantity).over(order_by=order).label("span"),
            )
            .where(seat_changes.c.subscription_id == subscription.subscription_id)
            .subquery()
        )
        added = case((counted.c.new_quantity.is_(None), counted.c.quantity_delta), else_=0)
        in_span = (counted.c.effective_time, counted.c.sequence)
        running = select(
            *counted.c,
            func.max(counted.c.new_quantity).over(partition_by=counted.c.span).label("span_count"),
            func.sum(added).over(partition_by=counted.c.span, order_by=in_span).label("added"),
        ).subquery()
        statement = select(running).order_by(running.c.effective_time, running.c.sequence)
        if page.after is not None:
            effective, sequence = page.after
            key = tuple_(running.c.effective_time, running.c.sequence)
            statement = statement.where(key > (datetime.fromisoformat(effective), int(sequence)))
        rows = await self._connection.execute(statement.limit(page.size + 1))
        return [
            ListedSeatChange(
                change=change_from_row(row),
                quantity_after=int(row.added)
                + (subscription.initial_quantity if row.span == 0 else row.span_count),
            )
            for row in rows
        ]


def change_from_row(row: Row[Any]) -> SeatChange:
    return SeatChange(
        seat_change_id=SeatChangeId(row.seat_change_id),
        subscription_id=SubscriptionId(row.subscription_id),
        sequence=row.sequence,
        effective_time=row.effective_time,
        quantity_delta=row.quantity_delta,
        create_time=row.create_time,
        new_quantity=row.new_quantity,
    )
