# SPDX-License-Identifier: Apache-2.0
"""Customers: created, found, renamed, suspended, archived and sent again."""

from collections.abc import Callable, Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.contract.domain.commands.customers import (
    ArchiveCustomer,
    CreateCustomer,
    RenameCustomer,
    ResendCustomer,
    ResumeCustomer,
    SetCustomerAliases,
    SuspendCustomer,
    UnarchiveCustomer,
)
from services.contract.domain.customer import (
    Customer,
    Suspension,
    archived,
    renamed,
    renewed,
    resumed,
    suspended,
    unarchived,
    with_aliases,
)
from services.contract.domain.errors.customers import CustomerHasContract
from services.contract.domain.ids import CustomerId
from services.contract.domain.notices import contract_changed, customer_changed
from services.contract.operations.billing.suspending import save_customer
from services.contract.operations.ports import Relay
from services.contract.store import PostgresStore

Change = SetCustomerAliases | RenameCustomer | SuspendCustomer | ResumeCustomer | UnarchiveCustomer


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

    async def list(self, page: Page, *, with_archived: bool, search: str) -> Sequence[Customer]:
        """Return a page in order of creation, and one more if there is one. search: empty for all."""
        async with self._store.transaction() as tx:
            return await tx.customers.listed(page, with_archived=with_archived, search=search)

    async def set_aliases(self, command: SetCustomerAliases) -> Customer:
        """Replace a customer's aliases. Raises CustomerNotFound, AliasTaken."""
        return await self._change(command, lambda customer: with_aliases(customer, command.aliases))

    async def rename(self, command: RenameCustomer) -> Customer:
        """Give a customer another name. Raises CustomerNotFound."""
        return await self._change(command, lambda customer: renamed(customer, command.name))

    async def suspend(self, command: SuspendCustomer) -> Customer:
        """Make the gate deny every call of the customer, for one reason. Raises CustomerNotFound."""
        suspension = Suspension(reason=command.reason, note=command.note, create_time=self._clock.now())
        return await self._change(command, lambda customer: suspended(customer, suspension))

    async def resume(self, command: ResumeCustomer) -> Customer:
        """Lift the suspension for one reason, or all. Raises CustomerNotFound."""
        return await self._change(command, lambda customer: resumed(customer, command.reason))

    async def archive(self, command: ArchiveCustomer) -> Customer:
        """Take a customer out of the lists; nothing can be sold to it. Raises CustomerNotFound, CustomerHasContract."""
        at = self._clock.now()
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Customer)) is not None:
                return first
            before = await tx.customers.lock(command.customer)
            contract_id = await tx.contracts.first_not_over(before.customer_id, at=at)
            if contract_id is not None:
                raise CustomerHasContract(customer_id=before.customer_id, contract_id=contract_id)
            customer = archived(before, at=at)
            await tx.customers.update(customer)
            await tx.responses.store(command, customer)
        return customer

    async def unarchive(self, command: UnarchiveCustomer) -> Customer:
        """Undo `archive`. Raises CustomerNotFound."""
        return await self._change(command, unarchived)

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
            await save_customer(tx, before, customer)
            await tx.responses.store(command, customer)
        await self._relay.deliver_now(customer.customer_id)
        return customer
