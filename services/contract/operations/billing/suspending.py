# SPDX-License-Identifier: Apache-2.0
"""Suspends customers for a reason that Contract has found itself, and lifts that. The customer is locked."""

from services.contract.domain.customer import Suspension, SuspensionReason, resumed, suspended
from services.contract.domain.ids import CustomerId
from services.contract.domain.notices import customer_changed
from services.contract.store import Transaction


async def suspend(tx: Transaction, customer_id: CustomerId, suspension: Suspension) -> None:
    """Suspend a customer for one more reason, and tell the Ledger if it is the first one."""
    before = await tx.customers.lock(customer_id)
    customer = suspended(before, suspension)
    if customer is not before:
        await tx.customers.update(customer)
    if customer.version != before.version:
        await tx.outbox.enqueue(customer_changed(customer), key=customer_id)


async def lift(tx: Transaction, customer_id: CustomerId, reason: SuspensionReason) -> None:
    """Lift one reason, and tell the Ledger if it was the last one."""
    before = await tx.customers.lock(customer_id)
    customer = resumed(before, reason)
    if customer is not before:
        await tx.customers.update(customer)
    if customer.version != before.version:
        await tx.outbox.enqueue(customer_changed(customer), key=customer_id)
