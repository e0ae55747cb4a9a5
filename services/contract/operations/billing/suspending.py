# SPDX-License-Identifier: Apache-2.0
"""Saves changed customers, and suspends them for reasons that Contract has found itself."""

from services.contract.domain.customer import Customer, Suspension, SuspensionReason, resumed, suspended
from services.contract.domain.ids import CustomerId
from services.contract.domain.notices import customer_changed
from services.contract.store import Transaction


async def save_customer(tx: Transaction, before: Customer, after: Customer) -> None:
    """Save what has changed in a locked customer, and tell the Ledger if it concerns the gate."""
    if after != before:
        await tx.customers.update(after)
    if after.version != before.version:
        await tx.outbox.enqueue(customer_changed(after), key=after.customer_id)


async def suspend(tx: Transaction, customer_id: CustomerId, suspension: Suspension) -> None:
    """Suspend a customer for one more reason, and tell the Ledger if it is the first one."""
    before = await tx.customers.lock(customer_id)
    await save_customer(tx, before, suspended(before, suspension))


async def lift(tx: Transaction, customer_id: CustomerId, reason: SuspensionReason) -> None:
    """Lift one reason, and tell the Ledger if it was the last one."""
    before = await tx.customers.lock(customer_id)
    await save_customer(tx, before, resumed(before, reason))
