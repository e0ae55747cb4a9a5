# SPDX-License-Identifier: Apache-2.0
"""CreateCreditNote, ListAccountCredits."""

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.contract.domain.commands import AccountCredit, CreateCreditNote, InvoiceCredited
from services.contract.domain.ids import AccountCreditEntryId, CreditNoteId
from services.contract.domain.invoice_credits import (
    AccountCreditCause,
    AccountCreditChange,
    CreditNote,
    credited,
)
from services.contract.store import PostgresStore


class CreditNotes:
    """Takes amounts off issued invoices, and keeps what customers have in credit."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def create(self, command: CreateCreditNote) -> InvoiceCredited:
        """Take an amount off an invoice: off what is due first, the rest becomes account credit.

        Raises InvoiceNotFound, InvoiceNotFinalized, InvoiceVoid, CurrencyDiffers, CreditExceedsInvoice.
        """
        at = self._clock.now()
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, InvoiceCredited)) is not None:
                return first
            invoice = await tx.invoices.lock(command.invoice_id)
            earlier = await tx.credit_notes.of_invoice(command.invoice_id)
            crediting = credited(invoice, command.amount, command.lines, earlier)
            credit_note_id = CreditNoteId(self._ids.new("crn"))
            await tx.invoices.save(crediting.invoice)
            if crediting.account_credit:
                change = AccountCreditChange(
                    account_credit_entry_id=AccountCreditEntryId(self._ids.new("ace")),
                    customer_id=invoice.customer_id,
                    amount=crediting.account_credit,
                    cause=AccountCreditCause.CREDIT_NOTE,
                    document_id=credit_note_id,
                    create_time=at,
                )
                await tx.account_credits.change(change)
            [number] = await tx.numbers.take([credit_note_id], at=at)
            note = CreditNote(
                credit_note_id=credit_note_id,
                invoice_id=invoice.invoice_id,
                number=number.text,
                finalize_time=number.date,
                amount=crediting.amount,
                tax=crediting.tax,
                off_due=crediting.off_due,
                account_credit=crediting.account_credit,
                reason=command.reason,
                lines=command.lines,
            )
            await tx.credit_notes.insert(note)
            result = InvoiceCredited(credit_note=note, invoice=crediting.invoice)
            await tx.responses.store(command, result)
        return result

    async def account_credit(self, customer: str, page: Page) -> AccountCredit:
        """Return what a customer has in credit and a page of its changes, and one more if there is one.

        Raises CustomerNotFound.
        """
        async with self._store.transaction() as tx:
            customer_id = (await tx.customers.find(customer)).customer_id
            return AccountCredit(
                balances=tuple(await tx.account_credits.balances(customer_id)),
                entries=tuple(await tx.account_credits.listed(customer_id, page)),
            )
