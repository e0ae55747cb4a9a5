# SPDX-License-Identifier: Apache-2.0
"""CreateCustomer, GetCustomer, ListCustomers, SetCustomerAliases, SuspendCustomer, ResumeCustomer, ResendCustomer."""

from collections.abc import Callable, Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.contract.domain.commands import (
    CreateCustomer,
    ResendCustomer,
    ResumeCustomer,
    SetCustomerAliases,
    SuspendCustomer,
)
from services.contract.domain.customer import Customer, renewed, suspended, with_aliases
from services.contract.domain.ids import CustomerId
from services.contract.domain.notices import contract_changed, customer_changed
from services.contract.operations.ports import Relay
from services.contract.store import PostgresStore

Change = SetCustomerAliases | SuspendCustomer | ResumeCustomer


class Customers:
    """Keeps customers, and notifies the Ledger of every change."""

    def __init__(self, *, store: PostgresStore, relay: Relay, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._relay = relay
        self._clock = clock
        self._ids = ids

    async def create(self, command: CreateCustomer) -> Customer:
        """Register a customer. Raises AliasTaken."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Customer)) is not None:
                return first
            customer = Customer(
                customer_id=CustomerId(self._ids.new("cus")),
                name=command.name,
                aliases=command.aliases,
                is_suspended=False,
                version=1,
                create_time=self._clock.now(),
            )
            await tx.customers.insert(customer)
            await tx.outbox.enqueue(customer_changed(customer), key=customer.customer_id)
            await tx.responses.store(command, customer)
        await self._relay.deliver_now(customer.customer_id)
        return customer

    async def get(self, customer: str) -> Customer:
        """Raises CustomerNotFound."""
        async with self._store.transaction() as tx:
            return await tx.customers.find(customer)

    async def list(self, page: Page) -> Sequence[Customer]:
        """Return a page in order of creation, and one more if there is one."""
        async with self._store.transaction() as tx:
            return await tx.customers.listed(page)

    async def set_aliases(self, command: SetCustomerAliases) -> Customer:
        """Replace a customer's aliases. Raises CustomerNotFound, AliasTaken."""
        return await self._change(command, lambda customer: with_aliases(customer, command.aliases))

    async def suspend(self, command: SuspendCustomer) -> Customer:
        """Make the gate deny every call of the customer. Raises CustomerNotFound."""
        return await self._change(command, lambda customer: suspended(customer, is_suspended=True))

    async def resume(self, command: ResumeCustomer) -> Customer:
        """Lift a suspension. Raises CustomerNotFound."""
        return await self._change(command, lambda customer: suspended(customer, is_suspended=False))

    async def resend(self, command: ResendCustomer) -> Customer:
        """Send a customer and all its contracts to the Ledger again, under new versions. Raises CustomerNotFound."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Customer)) is not None:
                return first
            customer = renewed(await tx.customers.lock(command.customer))
            await tx.customers.update(customer)
            await tx.outbox.enqueue(customer_changed(customer), key=customer.customer_id)
            for contract in await tx.contracts.renew_all(customer.customer_id):
                await tx.outbox.enqueue(contract_changed(contract), key=customer.customer_id)
            await tx.responses.store(command, customer)
        await self._relay.deliver_now(customer.customer_id)
        return customer

    async def _change(self, command: Change, change: Callable[[Customer], Customer]) -> Customer:
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Customer)) is not None:
                return first
            before = await tx.customers.lock(command.customer)
            customer = change(before)
            if customer != before:
                await tx.customers.update(customer)
                await tx.outbox.enqueue(customer_changed(customer), key=customer.customer_id)
            await tx.responses.store(command, customer)
        await self._relay.deliver_now(customer.customer_id)
        return customer
