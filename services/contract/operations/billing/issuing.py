# SPDX-License-Identifier: Apache-2.0
"""Issuing drafts, where number and date are given together, and paying invoices.

Source: services/contract/README.md, "Invoices".
"""

from collections.abc import Sequence
from datetime import datetime

from meshkit.ids import Ids
from services.contract.domain.ids import InvoicePaymentId
from services.contract.domain.invoice import Invoice
from services.contract.domain.invoice_life import InvoicePayment, ReportedPayment, issued, with_payment
from services.contract.store import Transaction


async def issue(tx: Transaction, drafts: Sequence[Invoice], *, at: datetime) -> list[Invoice]:
    """Issue stored drafts in this order and return them; a draft whose lines are all 0 is returned as it is.

    Call it last in a transaction: it locks the series of numbers until the commit. So a number is lost to no
    rollback, and the vendor's other invoices wait for little more than the commit.
    """
    invoices = list(drafts)
    due = [place for place, draft in enumerate(invoices) if draft.has_amount]
    numbers = await tx.numbers.take([invoices[place].invoice_id for place in due], at=at)
    for place, number in zip(due, numbers, strict=True):
        invoices[place] = issued(invoices[place], number=number.text, at=number.date)
        await tx.invoices.save(invoices[place])
    return invoices


async def pay(
    tx: Transaction, invoice: Invoice, reported: ReportedPayment, *, at: datetime, ids: Ids
) -> tuple[Invoice, InvoicePayment]:
    """Record a payment of an invoice that this transaction has locked.

    Raises InvoiceNotFinalized, InvoiceVoid, InvoiceAlreadyPaid, CurrencyDiffers, PaymentExceedsDue,
    PaymentAlreadyRecorded.
    """
    paid = with_payment(invoice, reported.amount)
    payment = InvoicePayment(
        invoice_payment_id=InvoicePaymentId(ids.new("pay")),
        invoice_id=invoice.invoice_id,
        amount=reported.amount,
        reference=reported.reference,
        payment_time=reported.payment_time,
        create_time=at,
    )
    await tx.invoices.insert_payment(payment)
    await tx.invoices.save(paid)
    return paid, payment
