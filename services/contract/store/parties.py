# SPDX-License-Identifier: Apache-2.0
"""Statements about the details of seller and buyers, and their copies on invoices."""

from typing import Any, Final

from sqlalchemy import Row, Select, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.contract.domain.ids import CustomerId, InvoiceId
from services.contract.domain.invoice_parties import BillingDetails, InvoiceParties, IssueTerms, Party
from services.contract.store.formats import BILLING_DETAILS, INVOICE_PARTIES, PARTY
from services.contract.tables import (
    account_credits,
    billing_details,
    customers,
    invoice_parties,
    seller_details,
)

_BILLING: Final[Select[Any]] = select(customers.c.name, billing_details.c.details).outerjoin(
    billing_details, billing_details.c.customer_id == customers.c.customer_id
)


class StoredParties:
    """Details are replaced whole; the copies on invoices never change."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def seller(self) -> Party | None:
        found = select(seller_details.c.details)
        details = (await self._connection.execute(found)).scalar_one_or_none()
        return None if details is None else PARTY.decode(details)

    async def set_seller(self, seller: Party) -> None:
        details = PARTY.encode(seller)
        put = upsert(seller_details).values(only_row=True, details=details)
        await self._connection.execute(
            put.on_conflict_do_update(index_elements=[seller_details.c.only_row], set_={"details": details})
        )

    async def billing_details(self, customer_id: CustomerId) -> BillingDetails | None:
        """Return how a customer is invoiced; None if that was not set."""
        found = select(billing_details.c.details).where(billing_details.c.customer_id == customer_id)
        details = (await self._connection.execute(found)).scalar_one_or_none()
        return None if details is None else BILLING_DETAILS.decode(details)

    async def billing_details_or_name(self, customer_id: CustomerId) -> BillingDetails:
        """Return how a customer is invoiced: with the customer's name only, if nothing was set."""
        found = _BILLING.where(customers.c.customer_id == customer_id)
        return _billing_from_row((await self._connection.execute(found)).one())

    async def issue_terms(self, customer_id: CustomerId, currency_code: str) -> IssueTerms:
        """Return what an invoice of a customer is issued with. Nothing of it is locked."""
        seller = select(seller_details.c.details).scalar_subquery()
        balance = (
            select(account_credits.c.balance_micros)
            .where(
                account_credits.c.customer_id == customer_id, account_credits.c.currency_code == currency_code
            )
            .scalar_subquery()
        )
        found = _BILLING.add_columns(seller.label("seller"), balance.label("balance_micros"))
        row = (await self._connection.execute(found.where(customers.c.customer_id == customer_id))).one()
        billing = _billing_from_row(row)
        return IssueTerms(
            parties=InvoiceParties(
                seller=None if row.seller is None else PARTY.decode(row.seller), buyer=billing.party
            ),
            taxes=billing.taxes,
            has_account_credit=bool(row.balance_micros),
        )

    async def set_billing_details(self, customer_id: CustomerId, billing: BillingDetails) -> None:
        details = BILLING_DETAILS.encode(billing)
        put = upsert(billing_details).values(customer_id=customer_id, details=details)
        await self._connection.execute(
            put.on_conflict_do_update(
                index_elements=[billing_details.c.customer_id], set_={"details": details}
            )
        )

    async def copy(self, invoice_id: InvoiceId, parties: InvoiceParties) -> None:
        """Store the details that an invoice is issued with."""
        copied = insert(invoice_parties).values(
            invoice_id=invoice_id, parties=INVOICE_PARTIES.encode(parties)
        )
        await self._connection.execute(copied)

    async def of_invoice(self, invoice_id: InvoiceId) -> InvoiceParties | None:
        """Return the details that an invoice was issued with; None for a draft, and for those of earlier versions."""
        found = select(invoice_parties.c.parties).where(invoice_parties.c.invoice_id == invoice_id)
        parties = (await self._connection.execute(found)).scalar_one_or_none()
        return None if parties is None else INVOICE_PARTIES.decode(parties)


def _billing_from_row(row: Row[Any]) -> BillingDetails:
    if row.details is None:
        return BillingDetails(party=Party(name=row.name))
    return BILLING_DETAILS.decode(row.details)
