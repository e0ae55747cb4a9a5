# SPDX-License-Identifier: Apache-2.0
"""Statements about when the provider is asked what went back of payments. All times are wall time."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.contract.domain.ids import CustomerId, TopUpId
from services.contract.domain.money_back import MoneyBack, MoneyBackCheck
from services.contract.domain.payments import PaymentState
from services.contract.tables import money_back_checks, money_back_looks, payments, top_up_refunds


class StoredMoneyBack:
    """A check is there as long as the provider is to be asked."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def hint(
        self, provider_payment_id: str, *, at: datetime, unless_known: MoneyBack | None = None
    ) -> bool:
        """Make a check due, of a payment that is kept; False if there is none of this id.

        unless_known: only if no refund of its top-up accounts for that.
        """
        kept = select(payments.c.provider_payment_id, literal(0), literal(at)).where(
            payments.c.provider_payment_id == provider_payment_id,
            payments.c.state == PaymentState.SUCCEEDED.value,
        )
        if unless_known is not None:
            known = select(literal(1)).where(
                top_up_refunds.c.top_up_id == payments.c.top_up_id,
                or_(
                    top_up_refunds.c.provider_refund_id == unless_known.provider_refund_id,
                    top_up_refunds.c.refund_id == unless_known.key,
                ),
            )
            kept = kept.where(~known.exists())
        hinted = (
            upsert(money_back_checks)
            .from_select(["provider_payment_id", "hints", "due_time"], kept)
            .on_conflict_do_update(
                index_elements=[money_back_checks.c.provider_payment_id],
                set_={"hints": money_back_checks.c.hints + 1, "due_time": at},
            )
            .returning(money_back_checks.c.provider_payment_id)
        )
        return (await self._connection.execute(hinted)).first() is not None

    async def lease_due(self, *, at: datetime, until: datetime, rows_max: int) -> Sequence[MoneyBackCheck]:
        """Return checks that are due, the longest waiting first; no other replica takes them before `until`."""
        due = (
            select(money_back_checks.c.provider_payment_id)
            .where(money_back_checks.c.due_time <= at)
            .order_by(money_back_checks.c.due_time)
            .limit(rows_max)
            .with_for_update(skip_locked=True)
        )
        leased = (
            update(money_back_checks)
            .where(
                money_back_checks.c.provider_payment_id.in_(due.scalar_subquery()),
                payments.c.provider_payment_id == money_back_checks.c.provider_payment_id,
            )
            .values(due_time=until)
            .returning(
                money_back_checks.c.provider_payment_id,
                money_back_checks.c.hints,
                payments.c.customer_id,
                payments.c.top_up_id,
            )
        )
        return [
            MoneyBackCheck(
                provider_payment_id=row.provider_payment_id,
                customer_id=CustomerId(row.customer_id),
                top_up_id=TopUpId(row.top_up_id),
                hints=row.hints,
            )
            for row in await self._connection.execute(leased)
        ]

    async def done(self, check: MoneyBackCheck, *, again: datetime | None) -> None:
        """End a check, or make it due again. One that was hinted at while the provider was asked stays due."""
        same = (
            money_back_checks.c.provider_payment_id == check.provider_payment_id,
            money_back_checks.c.hints == check.hints,
        )
        if again is None:
            await self._connection.execute(delete(money_back_checks).where(*same))
        else:
            await self._connection.execute(update(money_back_checks).where(*same).values(due_time=again))

    async def lease_look(self, *, at: datetime, until: datetime) -> tuple[bool, datetime | None]:
        """Return whether a look is due, which no other replica takes before `until`, and since when it looks."""
        leased = (
            update(money_back_looks)
            .where(money_back_looks.c.due_time <= at)
            .values(due_time=until)
            .returning(money_back_looks.c.since)
        )
        row = (await self._connection.execute(leased)).first()
        return row is not None, None if row is None else row.since

    async def looked(self, *, since: datetime, again: datetime) -> None:
        """Store that a look is done. since: when it began."""
        await self._connection.execute(update(money_back_looks).values(since=since, due_time=again))
