# SPDX-License-Identifier: Apache-2.0
"""Removes a seat change from the copy of seats over time: a void one, or one whose copy is repaired."""

from dataclasses import dataclass
from datetime import datetime

from meshkit.ids import Ids
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, SlotId
from services.ledger.operations.credits.seat_plans import Replanned, changed_slots, replan
from services.ledger.operations.credits.settlement import open_account
from services.ledger.store import Transaction


@dataclass(frozen=True, slots=True)
class RemovedChange:
    """planned: of named seats. slots: by pool of the subscription, the known slots whose seats differ."""

    sequence: int
    planned: Replanned | None
    slots: dict[CreditTypeId, list[SlotId]]


async def remove_seat_change(
    tx: Transaction,
    customer_id: CustomerId,
    subscription_id: str,
    seat_change_id: str,
    *,
    at: datetime,
    ids: Ids,
) -> RemovedChange | None:
    """Count the seats of a locked customer without a change from now on; None if it is not known.

    What was granted for it stays. The pools are settled with the change, but not yet without it.
    """
    pools = await tx.seat_changes.credit_types_of_subscription(customer_id, subscription_id)
    # Otherwise the result would depend on earlier reads.
    for credit_type_id in pools:
        opened = await open_account(tx, customer_id, credit_type_id, at=at, ids=ids, settles=True)
        await opened.save(tx, opened.now)
    # With the slots that the change has opened and ended, which are removed with it.
    before = await tx.seat_plans.find(customer_id, subscription_id)
    sequence = await tx.seat_changes.remove(customer_id, subscription_id, seat_change_id)
    if sequence is None:
        return None
    planned = None
    if await tx.seat_plans.is_named(customer_id, subscription_id):
        after = (await replan(tx, customer_id, subscription_id, pools, at=at, ids=ids)).after
        slots_of_pools = await changed_slots(tx, customer_id, subscription_id, pools, before, after)
        planned = Replanned(before, after, slots_of_pools)
    await tx.copies.outdate(customer_id)
    slots = {credit_type_id: [] for credit_type_id in pools} if planned is None else planned.slots
    return RemovedChange(sequence, planned, slots)
