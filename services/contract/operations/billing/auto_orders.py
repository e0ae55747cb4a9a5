# SPDX-License-Identifier: Apache-2.0
"""What follows from a change of an automatic top-up: its events, and the level that the Ledger watches.

Source: services/contract/README.md, "Automatic top-ups".
"""

from datetime import datetime

from services.contract.domain.auto_top_up import AutoTopUp, order_ended
from services.contract.domain.events import events_of_auto_top_up
from services.contract.domain.notices import top_up_level_changed
from services.contract.domain.top_up import TopUp
from services.contract.operations.billing.publishing import publish
from services.contract.store import Transaction


async def save_auto_top_up(tx: Transaction, before: AutoTopUp, after: AutoTopUp, *, at: datetime) -> None:
    """Store a changed automatic top-up, whose customer is locked.

    A new version of its level follows the grants that this transaction and earlier ones have enqueued, so the Ledger
    observes it after them.
    """
    if after == before:
        return
    await tx.auto_top_ups.save(after)
    await publish(tx, events_of_auto_top_up(before, after, at=at))
    if after.version != before.version:
        await tx.outbox.enqueue(top_up_level_changed(after), key=after.customer_id)


async def follow_order(tx: Transaction, top_up: TopUp, *, at: datetime) -> None:
    """Let the automatic top-up that waits for an order go on, if the order has ended. The customer is locked."""
    auto = await tx.auto_top_ups.of_order(top_up.top_up_id)
    if auto is not None:
        await save_auto_top_up(tx, auto, order_ended(auto, top_up, at=at), at=at)
