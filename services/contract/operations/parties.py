# SPDX-License-Identifier: Apache-2.0
"""SetSellerDetails, GetSellerDetails, SetBillingDetails."""

from services.contract.domain.commands.customers import BillingDetailsSet, SetBillingDetails, SetSellerDetails
from services.contract.domain.ids import CustomerId
from services.contract.domain.invoice_parties import BillingDetails, Party
from services.contract.store import PostgresStore


class Parties:
    """Keeps what invoices to come say of the vendor and of its customers."""

    def __init__(self, *, store: PostgresStore) -> None:
        self._store = store

    async def set_seller(self, command: SetSellerDetails) -> Party:
        """Replace the vendor's own details."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Party)) is not None:
                return first
            await tx.parties.set_seller(command.seller)
            await tx.responses.store(command, command.seller)
        return command.seller

    async def seller(self) -> Party | None:
        """Return the vendor's own details; None if they were not set."""
        async with self._store.transaction() as tx:
            return await tx.parties.seller()

    async def set_billing_details(self, command: SetBillingDetails) -> BillingDetailsSet:
        """Replace how a customer is invoiced. Raises CustomerNotFound."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, BillingDetailsSet)) is not None:
                return first
            customer = await tx.customers.find(command.customer)
            await tx.parties.set_billing_details(customer.customer_id, command.billing_details)
            result = BillingDetailsSet(
                customer_id=customer.customer_id, billing_details=command.billing_details
            )
            await tx.responses.store(command, result)
        return result

    async def billing_details(self, customer_id: CustomerId) -> BillingDetails | None:
        """Return how a customer is invoiced; None if that was not set."""
        async with self._store.transaction() as tx:
            return await tx.parties.billing_details(customer_id)
