# SPDX-License-Identifier: Apache-2.0
"""Statements about voids of seat changes that were in effect."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.contract.domain.errors.seats import SeatChangeNotFound
from services.contract.domain.ids import ContractId, SeatChangeId, SeatVoidId, SubscriptionId
from services.contract.domain.plan_change import PlanChangeStatus
from services.contract.domain.seats.voids import SeatVoid
from services.contract.store.formats import SEAT_VOID
from services.contract.tables import seat_voids

# By subscription and start of the billing period.
VoidsByPeriod = dict[tuple[str, datetime], list[SeatVoid]]


class StoredSeatVoids:
    """A void is saved once more: when the Ledger has answered."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, void: SeatVoid) -> None:
        await self._connection.execute(
            insert(seat_voids).values(
                seat_void_id=void.seat_void_id,
                subscription_id=void.paid.subscription_id,
                seat_change_id=void.seat_change_id,
                period_start=void.paid.period.start,
                status=void.status.value,
                void=SEAT_VOID.encode(void),
            )
        )

    async def insert_without_money(
        self, seat_void_id: SeatVoidId, subscription_id: SubscriptionId, seat_change_id: SeatChangeId
    ) -> None:
        """Store that a change was voided by the opposite change, and so there is nothing to settle."""
        await self._connection.execute(
            insert(seat_voids).values(
                seat_void_id=seat_void_id,
                subscription_id=subscription_id,
                seat_change_id=seat_change_id,
                status=PlanChangeStatus.APPLIED.value,
            )
        )

    async def save_answer(self, void: SeatVoid) -> None:
        """Save a void that this transaction has locked."""
        saved = (
            update(seat_voids)
            .where(seat_voids.c.seat_void_id == void.seat_void_id)
            .values(status=void.status.value, void=SEAT_VOID.encode(void))
        )
        assert (await self._connection.execute(saved)).rowcount == 1

    async def find(self, seat_void_id: SeatVoidId) -> SeatVoid:
        """Return a void that a notice names."""
        return await self._one(_OF.where(seat_voids.c.seat_void_id == seat_void_id))

    async def lock(self, seat_void_id: SeatVoidId) -> SeatVoid:
        """Return a void that a notice names, locked until the commit."""
        return await self._one(_OF.where(seat_voids.c.seat_void_id == seat_void_id).with_for_update())

    async def of_change(self, seat_change_id: SeatChangeId) -> SeatVoid | None:
        """Return the money of the void of a change; None: it was not voided, or there was nothing to settle."""
        found = await self._connection.execute(_OF.where(seat_voids.c.seat_change_id == seat_change_id))
        row = found.one_or_none()
        return None if row is None or row.void is None else SEAT_VOID.decode(row.void)

    async def refuse_void(self, contract_id: ContractId, seat_change_id: SeatChangeId) -> None:
        """Raise SeatChangeNotFound if a change was voided by the opposite change."""
        known = select(exists().where(seat_voids.c.seat_change_id == seat_change_id))
        if (await self._connection.execute(known)).scalar_one():
            raise SeatChangeNotFound(contract_id=contract_id, seat_change_id=seat_change_id)

    async def of_subscriptions(self, subscription_ids: Collection[str]) -> VoidsByPeriod:
        """Return the voids with money of subscriptions, in the order in which the Ledger answers them."""
        of = _OF.where(
            seat_voids.c.subscription_id.in_(subscription_ids), seat_voids.c.void.is_not(None)
        ).order_by(seat_voids.c.seat_void_id)
        found: defaultdict[tuple[str, datetime], list[SeatVoid]] = defaultdict(list)
        for row in await self._connection.execute(of):
            void = SEAT_VOID.decode(row.void)
            found[void.paid.subscription_id, void.paid.period.start].append(void)
        return found

    async def _one(self, statement: Select[Any]) -> SeatVoid:
        return SEAT_VOID.decode((await self._connection.execute(statement)).one().void)


_OF = select(seat_voids.c.void)
