# SPDX-License-Identifier: Apache-2.0
"""RefundInvoicePayment, and refunds that the payment provider is asked to carry out."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from meshkit.errors import error_text
from services.contract.domain.commands.invoices import InvoicePaymentRefunded, RefundInvoicePayment
from services.contract.domain.invoice_life import refuse_not_issued
from services.contract.domain.invoice_refunds import (
    InvoiceRefund,
    InvoiceRefundCause,
    InvoiceRefundStatus,
    amount_to_refund,
    payment_to_refund,
    provider_payment_of,
    refuse_gated,
    returned,
)
from services.contract.operations.asking import ask_about_due
from services.contract.operations.billing.collecting import refuse_while_taking
from services.contract.operations.billing.invoice_money_back import PaymentBack, money_went_back
from services.contract.operations.through_provider import ThroughProvider

log = structlog.get_logger(__name__)


class InvoiceRefunds(ThroughProvider):
    """Gives payments of invoices back. wall: when the provider is asked again."""

    async def refund(self, command: RefundInvoicePayment) -> InvoicePaymentRefunded:
        """Give a payment of an invoice back, in whole or in part. DUE until the provider has taken the refund.

        Raises InvoiceNotFound, InvoiceNotFinalized, InvoiceVoid, InvoicePaymentNotFound, PaymentOfTopUp,
        CurrencyDiffers, InvalidFields, RefundExceedsPayment, CreditExceedsInvoice, PaymentUnderWay.
        """
        at = self._clock.now()
        async with self._store.transaction() as tx:
            done = await tx.responses.claim(command, InvoicePaymentRefunded)
            if done is None:
                invoice = await tx.invoices.lock(command.invoice_id)
                refuse_not_issued(invoice)
                refuse_gated(await tx.top_ups.of_invoice(invoice.invoice_id))
                await refuse_while_taking(tx, invoice.invoice_id)
                payments = await tx.invoices.payments(invoice.invoice_id)
                payment = payment_to_refund(invoice, payments, command.invoice_payment_id)
                earlier = await tx.invoice_refunds.of_invoice(invoice.invoice_id)
                amount = amount_to_refund(payment, command.amount, earlier)
                charge = await tx.invoice_charges.of_provider_payment(provider_payment_of(payment))
                is_of_provider = charge is not None and charge.customer_id == invoice.customer_id
                back = PaymentBack(
                    payment=payment,
                    amount=amount,
                    cause=InvoiceRefundCause.REQUESTED,
                    reason=command.reason,
                    with_credit_note=command.with_credit_note,
                    payment_id=charge.payment_id if charge is not None and is_of_provider else None,
                    due=self._wall.now() if is_of_provider else None,
                )
                after, refund = await money_went_back(tx, invoice, back, at=at, ids=self._ids)
                done = InvoicePaymentRefunded(invoice=after, refund=refund)
                await tx.responses.store(command, done)
        if done.refund.status is InvoiceRefundStatus.DUE:
            await self._try_to_return(done.refund)
        async with self._store.transaction() as tx:
            return replace(done, refund=await tx.invoice_refunds.find(done.refund.refund_id))

    async def run_due(self) -> None:
        """Ask the provider to return every refund that is due by the wall clock."""
        if self._known_provider is not None:
            await ask_about_due(self._lease_due, self._try_to_return)

    async def _lease_due(self, rows_max: int) -> Sequence[InvoiceRefund]:
        async with self._store.transaction() as tx:
            return await tx.invoice_refunds.lease_due(at=self._wall.now(), rows_max=rows_max)

    async def _try_to_return(self, refund: InvoiceRefund) -> None:
        try:
            await self._return(refund)
        except Exception as error:  # the others must not wait for it; it is due again after its lease
            log.warning("refund_waits", refund_id=refund.refund_id, error=error_text(error))

    async def _return(self, refund: InvoiceRefund) -> None:
        if refund.payment_id is None or self._known_provider is None:
            return
        async with self._store.transaction() as tx:
            charge = await tx.invoice_charges.find(refund.payment_id)
        await self._provider.refund(charge, amount=refund.amount, key=refund.refund_id)
        async with self._store.transaction() as tx:
            await tx.invoices.lock(refund.invoice_id)
            before = await tx.invoice_refunds.find(refund.refund_id)
            if before.status is InvoiceRefundStatus.DUE:
                after = returned(before, at=self._clock.now())
                await tx.invoice_refunds.save_returned(after)
                await tx.due_records.invoice_returned(after)
