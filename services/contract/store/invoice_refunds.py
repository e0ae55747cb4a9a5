# SPDX-License-Identifier: Apache-2.0
"""Statements about refunds of the payments of invoices. Whoever changes one has locked its invoice."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.quantity import Money
from services.contract.domain.ids import CreditNoteId, CustomerId, InvoiceId, InvoicePaymentId, RefundId
from services.contract.domain.invoice_refunds import InvoiceRefund, InvoiceRefundCause, InvoiceRefundStatus
from services.contract.domain.payments import CHECK_AFTER_MAX, FIRST_CHECK_AFTER, PaymentId
from services.contract.store.refunds import DOUBLINGS_MAX
from services.contract.tables import invoice_refunds


class StoredInvoiceRefunds:
    """due: when the provider is asked to return the money, in wall time; None: it is not."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, refund: InvoiceRefund, *, due: datetime | None) -> None:
        await self._connection.execute(
            insert(invoice_refunds).values(
                refund_id=refund.refund_id,
                invoice_id=refund.invoice_id,
                invoice_payment_id=refund.invoice_payment_id,
                customer_id=refund.customer_id,
                payment_id=refund.payment_id,
                currency_code=refund.amount.currency_code,
                amount_micros=refund.amount.micros,
                cause=refund.cause.value,
                reason=refund.reason,
                status=refund.status.value,
                credit_note_id=refund.credit_note_id,
                create_time=refund.create_time,
                return_time=refund.return_time,
                checks=0,
                provider_refund_id=refund.provider_refund_id,
                due_time=due,
            )
        )

    async def save_returned(self, refund: InvoiceRefund) -> None:
        """Store that the money of a refund was returned."""
        await self._connection.execute(
            update(invoice_refunds)
            .where(invoice_refunds.c.refund_id == refund.refund_id)
            .values(status=refund.status.value, return_time=refund.return_time, due_time=None)
        )

    async def save_reversed(self, refund: InvoiceRefund) -> None:
        """Store that the money of a dispute came back."""
        await self._connection.execute(
            update(invoice_refunds)
            .where(invoice_refunds.c.refund_id == refund.refund_id)
            .values(reverse_time=refund.reverse_time)
        )

    async def find(self, refund_id: RefundId) -> InvoiceRefund:
        wanted = select(invoice_refunds).where(invoice_refunds.c.refund_id == refund_id)
        return _from_row((await self._connection.execute(wanted)).one())

    async def of_invoice(self, invoice_id: InvoiceId) -> Sequence[InvoiceRefund]:
        """Return all refunds of an invoice in order of creation."""
        wanted = (
            select(invoice_refunds)
            .where(invoice_refunds.c.invoice_id == invoice_id)
            .order_by(invoice_refunds.c.refund_id)
        )
        return [_from_row(row) for row in await self._connection.execute(wanted)]

    async def lease_due(self, *, at: datetime, rows_max: int) -> Sequence[InvoiceRefund]:
        """Return refunds that are due, the longest waiting first; each is due again later, unless it is saved."""
        due = (
            select(invoice_refunds.c.refund_id)
            .where(invoice_refunds.c.due_time <= at)
            .order_by(invoice_refunds.c.due_time)
            .limit(rows_max)
            .with_for_update(skip_locked=True)
        )
        doublings = func.least(invoice_refunds.c.checks, DOUBLINGS_MAX)
        wait = func.least(FIRST_CHECK_AFTER * func.power(2, doublings), CHECK_AFTER_MAX)
        leased = (
            update(invoice_refunds)
            .where(invoice_refunds.c.refund_id.in_(due.scalar_subquery()))
            .values(due_time=literal(at) + wait, checks=invoice_refunds.c.checks + 1)
            .returning(*invoice_refunds.c)
        )
        return [_from_row(row) for row in await self._connection.execute(leased)]


def _from_row(row: Row[Any]) -> InvoiceRefund:
    return InvoiceRefund(
        refund_id=RefundId(row.refund_id),
        invoice_id=InvoiceId(row.invoice_id),
        invoice_payment_id=InvoicePaymentId(row.invoice_payment_id),
        customer_id=CustomerId(row.customer_id),
        payment_id=None if row.payment_id is None else PaymentId(row.payment_id),
        amount=Money(row.currency_code, row.amount_micros),
        cause=InvoiceRefundCause(row.cause),
        reason=row.reason,
        status=InvoiceRefundStatus(row.status),
        credit_note_id=None if row.credit_note_id is None else CreditNoteId(row.credit_note_id),
        create_time=row.create_time,
        return_time=row.return_time,
        provider_refund_id=row.provider_refund_id,
        reverse_time=row.reverse_time,
    )
