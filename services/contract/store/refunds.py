# SPDX-License-Identifier: Apache-2.0
"""Statements about refunds of top-ups. Whoever changes a refund has locked its customer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.quantity import Credits, Money
from services.contract.domain.ids import CreditNoteId, CustomerId, RefundId, TopUpId
from services.contract.domain.payments import CHECK_AFTER_MAX, FIRST_CHECK_AFTER
from services.contract.domain.refunds import GrantCredits, RefundCause, RefundStatus, TopUpRefund
from services.contract.tables import customers, top_up_refunds

# After so many questions the wait is CHECK_AFTER_MAX.
DOUBLINGS_MAX: Final = 10


class StoredRefunds:
    """due: when the provider is asked to return the money, in wall time; None: it is not."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, refund: TopUpRefund) -> None:
        await self._connection.execute(
            insert(top_up_refunds).values(
                refund_id=refund.refund_id,
                top_up_id=refund.top_up_id,
                customer_id=refund.customer_id,
                currency_code=refund.amount.currency_code,
                asked_micros=None if refund.asked is None else refund.asked.micros,
                reason=refund.reason,
                create_time=refund.create_time,
                checks=0,
                accept_debt=refund.accept_debt,
                cause=refund.cause.value,
                provider_refund_id=refund.provider_refund_id or None,
                **_changing(refund),
            )
        )

    async def save(self, refund: TopUpRefund, *, due: datetime | None) -> None:
        await self._connection.execute(
            update(top_up_refunds)
            .where(top_up_refunds.c.refund_id == refund.refund_id)
            .values(due_time=due, **_changing(refund))
        )

    async def find(self, refund_id: RefundId) -> TopUpRefund:
        wanted = select(top_up_refunds).where(top_up_refunds.c.refund_id == refund_id)
        return _from_row((await self._connection.execute(wanted)).one())

    async def of_top_up(self, top_up_id: TopUpId) -> Sequence[TopUpRefund]:
        """Return all refunds of a top-up in order of creation."""
        wanted = (
            select(top_up_refunds)
            .where(top_up_refunds.c.top_up_id == top_up_id)
            .order_by(top_up_refunds.c.refund_id)
        )
        return [_from_row(row) for row in await self._connection.execute(wanted)]

    async def with_debt(self, customer_id: CustomerId) -> Sequence[TopUpRefund]:
        """Return all refunds of a customer that have left a debt, in order of creation."""
        wanted = (
            select(top_up_refunds)
            .where(top_up_refunds.c.customer_id == customer_id, top_up_refunds.c.owed_micros > 0)
            .order_by(top_up_refunds.c.refund_id)
        )
        return [_from_row(row) for row in await self._connection.execute(wanted)]

    async def in_debt(self, *, customers_max: int) -> Sequence[CustomerId]:
        """Return customers who are suspended and have had a debt."""
        wanted = (
            select(customers.c.customer_id)
            .where(
                customers.c.is_suspended,
                customers.c.customer_id.in_(
                    select(top_up_refunds.c.customer_id).where(top_up_refunds.c.owed_micros > 0)
                ),
            )
            .order_by(customers.c.customer_id)
            .limit(customers_max)
        )
        return [CustomerId(row.customer_id) for row in await self._connection.execute(wanted)]

    async def lease_due(self, *, at: datetime, rows_max: int) -> Sequence[TopUpRefund]:
        """Return refunds that are due, the longest waiting first; each is due again later, unless it is saved."""
        due = (
            select(top_up_refunds.c.refund_id)
            .where(top_up_refunds.c.due_time <= at)
            .order_by(top_up_refunds.c.due_time)
            .limit(rows_max)
            .with_for_update(skip_locked=True)
        )
        doublings = func.least(top_up_refunds.c.checks, DOUBLINGS_MAX)
        wait = func.least(FIRST_CHECK_AFTER * func.power(2, doublings), CHECK_AFTER_MAX)
        leased = (
            update(top_up_refunds)
            .where(top_up_refunds.c.refund_id.in_(due.scalar_subquery()))
            .values(due_time=literal(at) + wait, checks=top_up_refunds.c.checks + 1)
            .returning(*top_up_refunds.c)
        )
        return [_from_row(row) for row in await self._connection.execute(leased)]


def _changing(refund: TopUpRefund) -> dict[str, object]:
    credits = refund.credits
    return {
        "status": refund.status.value,
        "amount_micros": refund.amount.micros,
        "granted_micros": None if credits is None else credits.granted.micros,
        "spent_micros": None if credits is None else credits.spent.micros,
        "held_micros": None if credits is None else credits.held.micros,
        "expired_micros": None if credits is None else credits.expired.micros,
        "voided_micros": None if credits is None else credits.voided.micros,
        "refundable_micros": None if refund.refundable is None else refund.refundable.micros,
        "apply_time": refund.apply_time,
        "credit_note_id": refund.credit_note_id,
        "return_time": refund.return_time,
        "owed_micros": refund.owed.micros,
    }


def _from_row(row: Row[Any]) -> TopUpRefund:
    def money(micros: int | None) -> Money | None:
        return None if micros is None else Money(row.currency_code, micros)

    return TopUpRefund(
        refund_id=RefundId(row.refund_id),
        top_up_id=TopUpId(row.top_up_id),
        customer_id=CustomerId(row.customer_id),
        asked=money(row.asked_micros),
        reason=row.reason,
        status=RefundStatus(row.status),
        amount=Money(row.currency_code, row.amount_micros),
        create_time=row.create_time,
        credits=None
        if row.granted_micros is None
        else GrantCredits(
            granted=Credits(row.granted_micros),
            spent=Credits(row.spent_micros),
            held=Credits(row.held_micros),
            expired=Credits(row.expired_micros),
            voided=Credits(row.voided_micros),
        ),
        refundable=money(row.refundable_micros),
        apply_time=row.apply_time,
        credit_note_id=None if row.credit_note_id is None else CreditNoteId(row.credit_note_id),
        return_time=row.return_time,
        accept_debt=row.accept_debt,
        cause=RefundCause(row.cause),
        provider_refund_id=row.provider_refund_id or "",
        owed=Credits(row.owed_micros),
    )
