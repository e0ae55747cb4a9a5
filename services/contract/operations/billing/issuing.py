# SPDX-License-Identifier: Apache-2.0
"""Issuing drafts: parties, taxes and account credit, then number and date together; and paying invoices.

Source: services/contract/README.md, "Invoices".
"""

from collections.abc import Sequence
from datetime import datetime

from meshkit.ids import Ids
from meshkit.quantity import Money
from services.contract.domain.events import events_of_invoice
from services.contract.domain.ids import AccountCreditEntryId, InvoicePaymentId
from services.contract.domain.invoice import Invoice, InvoiceLine
from services.contract.domain.invoice_credits import (
    AccountCreditCause,
    AccountCreditChange,
    account_credit_line,
)
from services.contract.domain.invoice_life import InvoicePayment, ReportedPayment, issued, with_payment
from services.contract.domain.invoice_taxes import TaxTerms, tax_line
from services.contract.operations.billing.collecting import begin_collecting, follow_change
from services.contract.operations.billing.invoicing import with_lines
from services.contract.operations.billing.publishing import publish
from services.contract.store import Transaction


async def issue(
    tx: Transaction, drafts: Sequence[Invoice], *, at: datetime, ids: Ids, taxes: Sequence[TaxTerms] = ()
) -> list[Invoice]:
    """Issue stored drafts in this order and return them; a draft whose lines are all 0 is returned as it is.

    taxes: instead of the customers'. Call it last in a transaction: it locks the series of numbers until the commit. So
    a number is lost to no rollback, and the vendor's other invoices wait for little more than the commit.
    """
    completed = [
        await _completed(tx, draft, at=at, ids=ids, taxes=taxes) if draft.has_amount else draft
        for draft in drafts
    ]
    await begin_collecting(tx, completed, at=at)
    return await give_numbers(tx, completed, at=at)


async def issue_as_ordered(tx: Transaction, draft: Invoice, *, at: datetime) -> Invoice:
    """Issue a draft that was paid as it is: nothing is added to it but the parties, the number and the date."""
    if draft.has_amount:
        terms = await tx.parties.issue_terms(draft.customer_id, draft.total.currency_code)
        await tx.parties.copy(draft.invoice_id, terms.parties)
    [invoice] = await give_numbers(tx, [draft], at=at)
    return invoice


async def give_numbers(tx: Transaction, drafts: Sequence[Invoice], *, at: datetime) -> list[Invoice]:
    """Give the next numbers, and their date, to completed drafts; those whose lines are all 0 get none."""
    invoices = list(drafts)
    due = [place for place, draft in enumerate(invoices) if draft.has_amount]
    numbers = await tx.numbers.take([invoices[place].invoice_id for place in due], at=at)
    for place, number in zip(due, numbers, strict=True):
        draft = invoices[place]
        invoices[place] = issued(draft, number=number.text, at=number.date)
        await tx.invoices.save(invoices[place])
        await publish(tx, events_of_invoice(draft, invoices[place], at=at))
    return invoices


async def with_taxes(tx: Transaction, draft: Invoice, taxes: Sequence[TaxTerms], *, ids: Ids) -> Invoice:
    """Return a stored draft with tax lines, which are stored. Raises CurrencyDiffers."""
    lines = [
        tax_line(draft, terms, await tx.invoices.tax_so_far(draft, terms.description)) for terms in taxes
    ]
    return await _with_lines(tx, draft, lines, ids=ids)


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
    await publish(tx, events_of_invoice(invoice, paid, at=at))
    await follow_change(tx, paid, at=at)
    return paid, payment


async def _completed(
    tx: Transaction, draft: Invoice, *, at: datetime, ids: Ids, taxes: Sequence[TaxTerms]
) -> Invoice:
    currency = draft.total.currency_code
    terms = await tx.parties.issue_terms(draft.customer_id, currency)
    await tx.parties.copy(draft.invoice_id, terms.parties)
    invoice = await with_taxes(tx, draft, taxes or terms.taxes, ids=ids)
    balance = Money.zero(currency)
    if terms.has_account_credit:
        balance = await tx.account_credits.lock_balance(draft.customer_id, currency)
    line = account_credit_line(invoice.total, balance)
    if line is None:
        return invoice
    await tx.account_credits.change(
        AccountCreditChange(
            account_credit_entry_id=AccountCreditEntryId(ids.new("ace")),
            customer_id=draft.customer_id,
            amount=line.total,
            cause=AccountCreditCause.USED if line.total.micros < 0 else AccountCreditCause.EXCESS,
            document_id=draft.invoice_id,
            create_time=at,
        )
    )
    return await _with_lines(tx, invoice, [line], ids=ids)


async def _with_lines(tx: Transaction, draft: Invoice, lines: Sequence[InvoiceLine], *, ids: Ids) -> Invoice:
    if not lines:
        return draft
    extended = with_lines(draft, lines, ids=ids)
    await tx.invoices.extend(extended, stored=len(draft.lines))
    return extended
