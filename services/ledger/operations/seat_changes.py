# SPDX-License-Identifier: Apache-2.0
"""Removes a seat change from the copy of seats over time: a void one, or one whose copy is repaired."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from meshkit.ids import Ids
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, SlotId
from services.ledger.operations.credits.seat_plans import replan
from services.ledger.operations.credits.settlement import open_account
from services.ledger.store import Transaction


async def remove_seat_change(
    tx: Transaction,
    customer_id: CustomerId,
    subscription_id: str,
    seat_change_id: str,
    *,
    at: datetime,
    ids: Ids,
) -> int | None:
    """Count the seats of a locked customer without a change from now on; returns its sequence, None if unknown.

    What was granted for it stays. Seats that it gave to ids, or took from them, are planned again.
    """
    pools = await tx.seat_changes.credit_types_of_subscription(customer_id, subscription_id)
    # Settled with the change, and again without it: otherwise the result would depend on earlier reads.
    await _settle(tx, customer_id, dict.fromkeys(pools, ()), at=at, ids=ids)
    sequence = await tx.seat_changes.remove(customer_id, subscription_id, seat_change_id)
    if sequence is not None:
        slots: Mapping[CreditTypeId, Sequence[SlotId]] = dict.fromkeys(pools, ())
        if await tx.seat_plans.is_named(customer_id, subscription_id):
            slots = (await replan(tx, customer_id, subscription_id, pools, at=at, ids=ids)).slots
        await _settle(tx, customer_id, slots, at=at, ids=ids)
        await tx.copies.outdate(customer_id)
    return sequence


async def _settle(
    tx: Transaction,
    customer_id: CustomerId,
    slots: Mapping[CreditTypeId, Sequence[SlotId]],
    *,
    at: datetime,
    ids: Ids,
) -> None:
    """Settle pools, and these slots of each."""
    for credit_type_id, slot_ids in slots.items():
        opened = await open_account(
            tx, customer_id, credit_type_id, at=at, ids=ids, settles=True, slot_ids=slot_ids
        )
        await opened.save(tx, opened.now)
