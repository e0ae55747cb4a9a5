# SPDX-License-Identifier: Apache-2.0
"""Statements about seat changes, and about the seat ids that they name."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Row, Subquery, case, exists, func, insert, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from services.contract.domain.commands.seats import ListedSeatChange
from services.contract.domain.contract import Contract, Subscription
from services.contract.domain.errors.seats import SeatChangeNotFound
from services.contract.domain.ids import SeatChangeId, SeatId, SubscriptionId
from services.contract.domain.seats.naming import NO_NAMES, SeatCounts, SeatNames, SeatStep, names_of
from services.contract.domain.seats.timeline import SeatChange
from services.contract.tables import seat_change_voids, seat_changes, seat_steps

CHANGE_COLUMNS: Final[tuple[Column[Any], ...]] = (
    seat_changes.c.seat_change_id,
    seat_changes.c.subscription_id,
    seat_changes.c.sequence,
    seat_changes.c.effective_time,
    seat_changes.c.quantity_delta,
    seat_changes.c.create_time,
    seat_changes.c.new_quantity,
    seat_changes.c.assigned_delta,
)
_STEP_COLUMNS: Final[tuple[Column[Any], ...]] = (
    seat_steps.c.seat_id,
    seat_steps.c.effective_time,
    seat_steps.c.sequence,
    seat_steps.c.is_assigned,
    seat_steps.c.other_seat_id,
)


COUNTS: Final = ~exists().where(
    seat_change_voids.c.subscription_id == seat_changes.c.subscription_id,
    seat_change_voids.c.sequence == seat_changes.c.sequence,
)
_STEP_COUNTS: Final = ~exists().where(
    seat_change_voids.c.subscription_id == seat_steps.c.subscription_id,
    seat_change_voids.c.sequence == seat_steps.c.sequence,
)


class StoredSeats:
    """Seat changes, their steps and voids are only added, under the lock of their contract. Reads skip void ones."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert_change(self, change: SeatChange, names: SeatNames = NO_NAMES) -> None:
        await self._connection.execute(
            insert(seat_changes).values(
                seat_change_id=change.seat_change_id,
                subscription_id=change.subscription_id,
                sequence=change.sequence,
                effective_time=change.effective_time,
                quantity_delta=change.quantity_delta,
                create_time=change.create_time,
                new_quantity=change.new_quantity,
                assigned_delta=change.assigned_delta,
            )
        )
        steps = names.steps(effective_time=change.effective_time, sequence=change.sequence)
        rows = [_step_to_row(change, position, step) for position, step in enumerate(steps)]
        if rows:
            await self._connection.execute(insert(seat_steps), rows)

    async def find_change(
        self, contract: Contract, seat_change_id: SeatChangeId
    ) -> tuple[SeatChange, SeatNames]:
        """Return a change of a contract, and its seat ids. Raises SeatChangeNotFound."""
        of_contract = [one.subscription_id for one in contract.subscriptions]
        found = select(*CHANGE_COLUMNS).where(
            seat_changes.c.seat_change_id == seat_change_id,
            seat_changes.c.subscription_id.in_(of_contract),
            COUNTS,
        )
        if (row := (await self._connection.execute(found)).first()) is None:
            raise SeatChangeNotFound(contract_id=contract.contract_id, seat_change_id=seat_change_id)
        change = change_from_row(row)
        names = await self._names_of(change.subscription_id, [change.sequence])
        return change, names_of(names[change.sequence])

    async def void(self, change: SeatChange, *, at: datetime) -> None:
        await self._connection.execute(
            insert(seat_change_voids).values(
                subscription_id=change.subscription_id, sequence=change.sequence, void_time=at
            )
        )

    async def steps_of(self, subscription_id: SubscriptionId, seat_ids: Collection[SeatId]) -> list[SeatStep]:
        """Return everything that was ever planned for these seat ids."""
        of = select(*_STEP_COLUMNS).where(
            seat_steps.c.subscription_id == subscription_id, seat_steps.c.seat_id.in_(seat_ids), _STEP_COUNTS
        )
        return [_step_from_row(row) for row in await self._connection.execute(of)]

    async def assigned(self, subscription: Subscription, at: datetime, page: Page) -> list[SeatStep]:
        """Return, by seat id, the steps by which ids have a seat at `at`: a page, and one more if there is one."""
        latest = (
            select(*_STEP_COLUMNS)
            .ext(distinct_on(seat_steps.c.seat_id))
            .where(
                seat_steps.c.subscription_id == subscription.subscription_id,
                seat_steps.c.effective_time <= at,
                _STEP_COUNTS,
            )
            .order_by(seat_steps.c.seat_id, seat_steps.c.effective_time.desc(), seat_steps.c.sequence.desc())
        )
        if page.after is not None:
            latest = latest.where(seat_steps.c.seat_id > page.after[0])
        found = latest.subquery()
        having = select(found).where(found.c.is_assigned).order_by(found.c.seat_id).limit(page.size + 1)
        return [_step_from_row(row) for row in await self._connection.execute(having)]

    async def counts_at(self, subscription: Subscription, at: datetime) -> SeatCounts:
        """Return how many seats there are at `at`, including changes of that instant."""
        running = _running(subscription.subscription_id)
        last = (
            select(running)
            .where(running.c.effective_time <= at)
            .order_by(running.c.effective_time.desc(), running.c.sequence.desc())
            .limit(1)
        )
        if (row := (await self._connection.execute(last)).first()) is None:
            return SeatCounts(quantity=subscription.initial_quantity, assigned=0)
        return SeatCounts(quantity=_quantity_after(row, subscription), assigned=int(row.assigned))

    async def listed_changes(self, subscription: Subscription, page: Page) -> list[ListedSeatChange]:
        """Return a page by effective_time, then in the order received, and one row more if there is one."""
        running = _running(subscription.subscription_id)
        statement = select(running).order_by(running.c.effective_time, running.c.sequence)
        if page.after is not None:
            effective, sequence = page.after
            key = tuple_(running.c.effective_time, running.c.sequence)
            statement = statement.where(key > (datetime.fromisoformat(effective), int(sequence)))
        rows = (await self._connection.execute(statement.limit(page.size + 1))).all()
        names = await self._names_of(subscription.subscription_id, [row.sequence for row in rows])
        return [
            ListedSeatChange(
                change=change_from_row(row),
                quantity_after=_quantity_after(row, subscription),
                names=names_of(names[row.sequence]),
            )
            for row in rows
        ]

    async def _names_of(
        self, subscription_id: SubscriptionId, sequences: Collection[int]
    ) -> defaultdict[int, list[SeatStep]]:
        """Return the steps of each of these changes, in their order."""
        found: defaultdict[int, list[SeatStep]] = defaultdict(list)
        of = (
            select(*_STEP_COLUMNS)
            .where(seat_steps.c.subscription_id == subscription_id, seat_steps.c.sequence.in_(sequences))
            .order_by(seat_steps.c.sequence, seat_steps.c.position)
        )
        for row in await self._connection.execute(of):
            found[row.sequence].append(_step_from_row(row))
        return found


def _running(subscription_id: SubscriptionId) -> Subquery:
    """Return the changes of a subscription with what is needed to know the seats after each."""
    order = (seat_changes.c.effective_time, seat_changes.c.sequence)
    counted = (
        select(
            *CHANGE_COLUMNS,
            # Numbers the spans that each begin with an absolute count; 0 is the span before the first one.
            func.count(seat_changes.c.new_quantity).over(order_by=order).label("span"),
            func.sum(seat_changes.c.assigned_delta).over(order_by=order).label("assigned"),
        )
        .where(seat_changes.c.subscription_id == subscription_id, COUNTS)
        .subquery()
    )
    added = case((counted.c.new_quantity.is_(None), counted.c.quantity_delta), else_=0)
    in_span = (counted.c.effective_time, counted.c.sequence)
    return select(
        *counted.c,
        func.max(counted.c.new_quantity).over(partition_by=counted.c.span).label("span_count"),
        func.sum(added).over(partition_by=counted.c.span, order_by=in_span).label("added"),
    ).subquery()


def _quantity_after(row: Row[Any], subscription: Subscription) -> int:
    return int(row.added) + (subscription.initial_quantity if row.span == 0 else row.span_count)


def change_from_row(row: Row[Any]) -> SeatChange:
    return SeatChange(
        seat_change_id=SeatChangeId(row.seat_change_id),
        subscription_id=SubscriptionId(row.subscription_id),
        sequence=row.sequence,
        effective_time=row.effective_time,
        quantity_delta=row.quantity_delta,
        create_time=row.create_time,
        new_quantity=row.new_quantity,
        assigned_delta=row.assigned_delta,
    )


def _step_to_row(change: SeatChange, position: int, step: SeatStep) -> dict[str, Any]:
    return {
        "subscription_id": change.subscription_id,
        "sequence": step.sequence,
        "position": position,
        "seat_id": step.seat_id,
        "effective_time": step.effective_time,
        "is_assigned": step.is_assigned,
        "other_seat_id": step.other_seat_id,
    }


def _step_from_row(row: Row[Any]) -> SeatStep:
    return SeatStep(
        seat_id=SeatId(row.seat_id),
        effective_time=row.effective_time,
        sequence=row.sequence,
        is_assigned=row.is_assigned,
        other_seat_id=None if row.other_seat_id is None else SeatId(row.other_seat_id),
    )
