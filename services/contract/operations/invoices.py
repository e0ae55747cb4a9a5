# SPDX-License-Identifier: Apache-2.0
"""ListInvoices, GetInvoice."""

from collections.abc import Sequence

from meshkit.page import Page
from services.contract.domain.ids import ContractId, InvoiceId
from services.contract.domain.invoice import Invoice
from services.contract.store import PostgresStore


class Invoices:
    """Reads invoices. Billing and top-ups create them."""

    def __init__(self, *, store: PostgresStore) -> None:
        self._store = store

    async def get(self, invoice_id: InvoiceId) -> Invoice:
        """Raises InvoiceNotFound."""
        async with self._store.transaction() as tx:
            return await tx.invoices.find(invoice_id)

    async def list(self, customer: str, contract_id: ContractId | None, page: Page) -> Sequence[Invoice]:
        """Return a page by issue_time, then in order of creation, and one more if there is one.

        Raises CustomerNotFound.
        """
        async with self._store.transaction() as tx:
            customer_id = (await tx.customers.find(customer)).customer_id
            return await tx.invoices.listed(customer_id, contract_id, page)
