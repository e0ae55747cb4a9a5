# SPDX-License-Identifier: Apache-2.0
"""Statements about payments through a provider, and about saved payment methods.

Whoever changes a payment has locked it; whoever changes its top-up too has locked the customer before.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Row, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.quantity import Money
from services.contract.domain.ids import CustomerId, TopUpId
from services.contract.domain.payments import Payment, PaymentId, PaymentMethod, PaymentState
from services.contract.domain.top_up import TopUpStatus
from services.contract.tables import payment_methods, payments, top_ups

_COLUMNS: Final[tuple[Column[Any], ...]] = (
    payments.c.payment_id,
    payments.c.customer_id,
    payments.c.top_up_id,
    payments.c.currency_code,
    payments.c.amount_micros,
    payments.c.state,
    payments.c.provider_payment_id,
    payments.c.ending,
    payments.c.checks,
    payments.c.hints,
    payments.c.create_time,
)


class StoredPayments:
    """due: when the provider is asked next, in wall time; None: never again."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, payment: Payment, *, due: datetime) -> None:
        await self._connection.execute(
            insert(payments).values(
                payment_id=payment.payment_id,
                customer_id=payment.customer_id,
                top_up_id=payment.top_up_id,
                currency_code=payment.amount.currency_code,
                amount_micros=payment.amount.micros,
                create_time=payment.create_time,
                due_time=due,
                **_changing(payment),
            )
        )

    async def save(self, payment: Payment, *, due: datetime | None) -> None:
        """Store what may change in a payment that this transaction has locked."""
        await self._connection.execute(
            update(payments)
            .where(payments.c.payment_id == payment.payment_id)
            .values(due_time=due, **_changing(payment))
        )

    async def lock(self, payment_id: PaymentId) -> Payment:
        wanted = select(*_COLUMNS).where(payments.c.payment_id == payment_id).with_for_update()
        return _from_row((await self._connection.execute(wanted)).one())

    async def of_top_up(self, top_up_id: TopUpId) -> Payment | None:
        """Return the payment of a top-up; None if it has none at a provider."""
        wanted = select(*_COLUMNS).where(payments.c.top_up_id == top_up_id)
        row = (await self._connection.execute(wanted)).first()
        return None if row is None else _from_row(row)

    async def hint(self, provider_payment_id: str, *, at: datetime) -> bool:
        """Make a payment due, unless nothing can become of it any more; False if there is none of this id."""
        hinted = (
            update(payments)
            .where(payments.c.provider_payment_id == provider_payment_id, payments.c.due_time.is_not(None))
            .values(hints=payments.c.hints + 1, checks=0, due_time=at)
            .returning(payments.c.payment_id)
        )
        if (await self._connection.execute(hinted)).first() is not None:
            return True
        known = select(payments.c.payment_id).where(payments.c.provider_payment_id == provider_payment_id)
        return (await self._connection.execute(known)).first() is not None

    async def lease_due(self, *, at: datetime, until: datetime, rows_max: int) -> Sequence[Payment]:
        """Return payments that are due, the longest waiting first; no other replica takes them before `until`."""
        due = (
            select(payments.c.payment_id)
            .where(payments.c.due_time <= at)
            .order_by(payments.c.due_time)
            .limit(rows_max)
            .with_for_update(skip_locked=True)
        )
        leased = (
            update(payments)
            .where(payments.c.payment_id.in_(due.scalar_subquery()))
            .values(due_time=until, checks=payments.c.checks + 1)
            .returning(*_COLUMNS)
        )
        return [_from_row(row) for row in await self._connection.execute(leased)]

    async def expired(self, *, at: datetime, rows_max: int) -> Sequence[PaymentId]:
        """Return payments of orders that have expired by an instant, if nobody has asked to cancel them yet."""
        wanted = (
            select(payments.c.payment_id)
            .join(top_ups, payments.c.top_up_id == top_ups.c.top_up_id)
            .where(
                top_ups.c.status == TopUpStatus.PENDING_PAYMENT.value,
                top_ups.c.expire_time <= at,
                payments.c.ending.is_(None),
                payments.c.due_time.is_not(None),
            )
            .order_by(top_ups.c.expire_time)
            .limit(rows_max)
        )
        return [PaymentId(row.payment_id) for row in await self._connection.execute(wanted)]

    async def method_of(self, customer_id: CustomerId) -> PaymentMethod | None:
        wanted = select(payment_methods).where(payment_methods.c.customer_id == customer_id)
        row = (await self._connection.execute(wanted)).first()
        return None if row is None else _method_from_row(row)

    async def set_method(self, method: PaymentMethod) -> None:
        values = {
            "provider_customer_id": method.provider_customer_id,
            "payment_method_id": method.payment_method_id,
            "label": method.label,
            "update_time": method.update_time,
        }
        await self._connection.execute(
            upsert(payment_methods)
            .values(customer_id=method.customer_id, **values)
            .on_conflict_do_update(index_elements=[payment_methods.c.customer_id], set_=values)
        )


def _changing(payment: Payment) -> dict[str, object]:
    return {
        "state": payment.state.value,
        "provider_payment_id": payment.provider_payment_id,
        "ending": None if payment.ending is None else payment.ending.value,
        "checks": payment.checks,
        "hints": payment.hints,
    }


def _from_row(row: Row[Any]) -> Payment:
    return Payment(
        payment_id=PaymentId(row.payment_id),
        customer_id=CustomerId(row.customer_id),
        top_up_id=TopUpId(row.top_up_id),
        amount=Money(row.currency_code, row.amount_micros),
        state=PaymentState(row.state),
        provider_payment_id=row.provider_payment_id,
        ending=None if row.ending is None else TopUpStatus(row.ending),
        checks=row.checks,
        hints=row.hints,
        create_time=row.create_time,
    )


def _method_from_row(row: Row[Any]) -> PaymentMethod:
    return PaymentMethod(
        customer_id=CustomerId(row.customer_id),
        provider_customer_id=row.provider_customer_id,
        payment_method_id=row.payment_method_id,
        label=row.label,
        update_time=row.update_time,
    )
