# SPDX-License-Identifier: Apache-2.0
"""CreateCreditNote, ListAccountCredits."""

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.contract.domain.commands.invoices import AccountCredit, CreateCreditNote, InvoiceCredited
from services.contract.operations.billing.crediting import take_off
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
            result = await take_off(
                tx,
                invoice,
                command.amount,
                command.lines,
                reason=command.reason,
                at=at,
                ids=self._ids,
            )
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
